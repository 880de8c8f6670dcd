-- The bookkeeping of repair: a hole is asked for again with back-off and only so often, also
-- over restarts. Writer: ingestor (repair). Readers: people, edge-api.
-- Safe while the previous build runs: yes (columns with defaults).

alter table marketdata.gaps
  add column repair_attempts integer not null default 0,
  add column repair_tried_at timestamptz,
  add column repair_due_at timestamptz;
comment on column marketdata.gaps.repair_attempts is 'how often the exchange was asked for this hole and did not give all of it';
comment on column marketdata.gaps.repair_tried_at is 'when the exchange was last asked for it [UTC]';
comment on column marketdata.gaps.repair_due_at is 'not to be asked for before; null: at once; infinity: never again [UTC]';
comment on column marketdata.gaps.repaired_count is 'trades that are stored between from_id and to_id as of the last attempt, refilled over REST or heard by a second ingestor';
comment on column marketdata.gaps.repair_note is 'why an open hole is still open, or what is odd about a closed one';

-- For counts of what is new in the ledger.
create index gaps_detected_idx on marketdata.gaps (detected_at);

-- From here on the writer says so with each row.
update marketdata.gaps set repair_note = 'The exchange does not give quotes a second time.'
where channel = 'book_ticker' and repair_note is null;
