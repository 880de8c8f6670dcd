-- A handover retires an ingestor only after everything on its tape is committed. Its last heartbeat
-- says so.
-- Writer: ingestor (heartbeats). Readers: infra (handover, console).
-- Safe while the previous build runs: yes (its heartbeats leave the column null).

alter table marketdata.ingestors add column uncommitted_bytes bigint;
comment on column marketdata.ingestors.uncommitted_bytes is 'bytes of its tape that were not committed at its last heartbeat; in state stopped: at its end; null: not reported (an older build)';
