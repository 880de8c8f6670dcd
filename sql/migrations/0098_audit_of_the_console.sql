-- The console puts jobs into the queue for operators; that is in the audit log too.
-- Safe while the previous build runs: yes (comments).

comment on column marketdata.audit.program is 'ingestor or console';
comment on column marketdata.audit.instance is 'which of them: INGESTOR_ID, or console';
comment on column marketdata.audit.actor is 'who: name of the token, local (unix socket), or environment; with "for NAME" where the caller says so, as the console does';
comment on column marketdata.audit.action is 'recording, symbols, scale, channels, depth, environment (what it says is wanted again, or a setting was changed there), or run_job (by the console)';
