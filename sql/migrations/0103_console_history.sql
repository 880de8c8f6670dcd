-- The last hour of the figures that the console draws as lines, so that a restart keeps them.
-- Writer: console. Readers: console.
-- Identity: at.
-- Safe while the previous build runs: yes (new table).

create table marketdata.console_history (
  at timestamptz not null,
  events_per_s double precision,
  rows_per_s double precision,
  lag_ms double precision,
  backlog_bytes double precision,
  constraint console_history_pkey primary key (at)
);
comment on table marketdata.console_history is 'Figures of all ingestors together, one row every five seconds, of the last hour. Null: no ingestor answered.';
comment on column marketdata.console_history.at is 'when the console looked [UTC]';
comment on column marketdata.console_history.events_per_s is 'frames received [1/s]';
comment on column marketdata.console_history.rows_per_s is 'rows committed [1/s]';
comment on column marketdata.console_history.lag_ms is 'longest time from receive to commit [ms]';
comment on column marketdata.console_history.backlog_bytes is 'frames on the tapes that are not committed [bytes]';
