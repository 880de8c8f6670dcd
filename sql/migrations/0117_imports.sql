-- Files of other archives whose rows were imported, and the cause `import` of gaps.
-- Writer: `npx booktape import`. Readers: people, jobs.
-- Identity: the file's name at its source.
-- Safe while the previous build runs: yes (a new table, a new column that is false). A previous jobs
-- build that archives an hour which an import has revised keeps rows that the source has removed.

create table marketdata.imports (
  file text not null,
  source text not null,
  kind text not null,
  symbol_id bigint not null,
  table_name text not null,
  from_ts timestamptz not null,
  to_ts timestamptz not null,
  sha256 text not null,
  byte_count bigint not null,
  line_count bigint not null,
  added_count bigint not null,
  removed_count bigint not null,
  known_count bigint not null,
  repeated_count bigint not null,
  void_count bigint not null,
  rejected_count bigint not null,
  first_ts timestamptz,
  last_ts timestamptz,
  first_id bigint,
  last_id bigint,
  missing_count bigint not null,
  finding text,
  version integer not null default 1,
  imported_at timestamptz not null,
  built_at timestamptz,
  constraint imports_pkey primary key (file),
  constraint imports_symbol_id_fkey foreign key (symbol_id) references marketdata.symbols (id)
);
create index imports_symbol_idx on marketdata.imports (symbol_id, table_name, from_ts);
comment on table marketdata.imports is 'Files of other archives whose rows are in the raw tables: where the rows of a span that was not recorded are from, and whether the file is whole.';
comment on column marketdata.imports.file is 'name of the file at its source';
comment on column marketdata.imports.source is 'binance or tardis';
comment on column marketdata.imports.kind is 'kind of file, as the source names it: aggTrades';
comment on column marketdata.imports.symbol_id is 'marketdata.symbols.id';
comment on column marketdata.imports.table_name is 'table that the rows are in';
comment on column marketdata.imports.from_ts is 'start of the days that the file is of [UTC]';
comment on column marketdata.imports.to_ts is 'end of the days that the file is of, exclusive [UTC]';
comment on column marketdata.imports.sha256 is 'sha256 of the file [hex]; another one means that the source has replaced it';
comment on column marketdata.imports.byte_count is 'size of the file [bytes]';
comment on column marketdata.imports.line_count is 'lines that are data';
comment on column marketdata.imports.added_count is 'rows that the table did not have, over all versions of the file';
comment on column marketdata.imports.removed_count is 'rows of earlier versions of the file that a newer version does not have, or has with other values';
comment on column marketdata.imports.known_count is 'rows that the table had already';
comment on column marketdata.imports.repeated_count is 'lines whose id the file had before';
comment on column marketdata.imports.void_count is 'ids that are not trades, such as those of quantity 0; lines without a value';
comment on column marketdata.imports.rejected_count is 'lines that cannot be read';
comment on column marketdata.imports.first_ts is 'ts_exchange of the first row; null: the file has none [UTC]';
comment on column marketdata.imports.last_ts is 'ts_exchange of the last row [UTC]';
comment on column marketdata.imports.first_id is 'smallest id, where ids are consecutive';
comment on column marketdata.imports.last_id is 'largest id, where ids are consecutive';
comment on column marketdata.imports.missing_count is 'gaps that the ledger has of these days by cause import, when the file was imported';
comment on column marketdata.imports.finding is 'what is wrong with the file, as a sentence; null: it is whole';
comment on column marketdata.imports.version is '1, and one more whenever the source had replaced the file';
comment on column marketdata.imports.imported_at is 'when its last row had been stored [UTC]';
comment on column marketdata.imports.built_at is 'when the command had archived and published its days; null: not yet, the jobs daemon does it [UTC]';
grant select on marketdata.imports to booktape_reader;

comment on column marketdata.gaps.cause is 'sequence, disconnect, restart, silence, refused (the exchange refuses the subscription), rejected (a frame came that cannot be read), tape_full, tape_cut, delisted (no longer listed), operator (an operator paused the recording or left the stream out) or import (an imported file lacks it)';

alter table marketdata.archive add column is_revised boolean not null default false;
comment on column marketdata.archive.is_revised is 'true: an import has replaced rows of this version in Postgres, so the next version holds what Postgres has';
