-- Two rows of one identity that say different things: the first one stays in its table, and what
-- the second one said is kept here. Writer: ingestor. Readers: people, jobs (validation).
-- Identity: (table_name, symbol_id, digest); reading the tape again adds nothing.
-- Safe while the previous build runs: yes (a new table).

create table marketdata.conflicts (
  id bigint generated always as identity,
  detected_at timestamptz not null default now(),
  ingestor_id text not null,
  table_name text not null,
  symbol_id bigint,
  ts_exchange timestamptz not null,
  kept jsonb not null,
  refused jsonb not null,
  digest text not null generated always as (md5(kept::text || refused::text)) stored,
  constraint conflicts_pkey primary key (id),
  constraint conflicts_identity_key unique nulls not distinct (table_name, symbol_id, digest)
);
create index conflicts_detected_idx on marketdata.conflicts (detected_at);
comment on table marketdata.conflicts is 'Rows that were refused because another row of their identity says something else: a symbol that was listed anew, a correction by the exchange, or a fault of the recorder. The newest 10,000.';
comment on column marketdata.conflicts.detected_at is 'when the second row came [UTC]';
comment on column marketdata.conflicts.ingestor_id is 'INGESTOR_ID of the process that brought the second row';
comment on column marketdata.conflicts.table_name is 'the table that both rows are of';
comment on column marketdata.conflicts.symbol_id is 'marketdata.symbols.id; null for prices';
comment on column marketdata.conflicts.ts_exchange is 'ts_exchange of both rows [UTC]';
comment on column marketdata.conflicts.kept is 'columns of the row that is in the table';
comment on column marketdata.conflicts.refused is 'columns of the row that is not';
comment on column marketdata.conflicts.digest is 'md5 of kept and refused';

grant select on marketdata.conflicts to booktape_reader;
