-- Comments of the tables of operation in plain English. No structure changes.
-- Safe while the previous build runs: yes (comments only).

comment on table marketdata.audit is 'Every change that an operator made to a running program: a copy of the log on its disk (audit.ndjson next to the tape). Append-only.';
comment on column marketdata.audit.audit_id is 'id of the line in the log';
comment on column marketdata.audit.actor is 'name of the token, local (unix socket), or environment; with "for NAME" if the caller names a person, as the console does';
comment on column marketdata.audit.origin is 'unix socket, IP address, or start';
comment on column marketdata.audit.action is 'recording, symbols, scale, channels, depth, environment (back to the environment''s choice, or a setting changed there), or run_job (by the console)';
comment on column marketdata.audit.request is 'the request''s body';
comment on column marketdata.audit.revision is 'revision of the wanted state after the change';
comment on column marketdata.audit.before is 'wanted state before the change';
comment on column marketdata.audit.after is 'wanted state after the change';
comment on column marketdata.audit.result is 'symbols and streams added, removed and kept; null for environment, before recording starts';
comment on column marketdata.ingestors.recording is 'wanted state: recording or paused';
comment on column marketdata.ingestors.revision is 'revision of the wanted state; 0: the environment''s choice';
comment on column marketdata.gaps.repair_due_at is 'no request before this time; null: at once; infinity: never again [UTC]';
