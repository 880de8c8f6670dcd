-- What of the raw tables lies in the object store, so that a partition may go.
-- Writer: jobs (archive, retention). Readers: edge-api, jobs.
-- Identity: (exchange, table_name, hour, version); what a row says of its file never changes.
-- Safe while the previous build runs: yes (a new table).

create table marketdata.archive (
  exchange text not null,
  table_name text not null,
  hour timestamptz not null,
  version integer not null,
  object_key text not null,
  row_count bigint not null,
  byte_count bigint not null,
  sha256 text not null,
  checksums jsonb not null,
  min_ts_exchange timestamptz not null,
  max_ts_exchange timestamptz not null,
  archived_at timestamptz not null,
  table_row_count bigint not null,
  indexed_at timestamptz,
  dropped_at timestamptz,
  constraint archive_pkey primary key (exchange, table_name, hour, version)
);
create index archive_hour_idx on marketdata.archive (table_name, hour);
create index archive_unindexed_idx on marketdata.archive (table_name, hour) where indexed_at is null;
comment on table marketdata.archive is 'Finished hours as Parquet files: every version that was written, read back and compared.';
comment on column marketdata.archive.exchange is 'exchange whose rows the file holds';
comment on column marketdata.archive.table_name is 'raw table';
comment on column marketdata.archive.hour is 'start of the hour [UTC]';
comment on column marketdata.archive.version is '1, and one more whenever late rows changed the hour; readers take the largest';
comment on column marketdata.archive.object_key is 'key of the file in the object store';
comment on column marketdata.archive.row_count is 'rows of the file';
comment on column marketdata.archive.byte_count is 'size of the file [bytes]';
comment on column marketdata.archive.sha256 is 'sha256 of the file [hex]';
comment on column marketdata.archive.checksums is 'per column, the sum of its values'' hashes: the same for the same rows in any order';
comment on column marketdata.archive.min_ts_exchange is 'ts_exchange of the oldest row [UTC]';
comment on column marketdata.archive.max_ts_exchange is 'ts_exchange of the newest row [UTC]';
comment on column marketdata.archive.archived_at is 'when the file had been read back and compared [UTC]';
comment on column marketdata.archive.table_row_count is 'of the newest version: rows of the hour that Postgres held when it was compared last, all of which are in the file; 0 from the drop of the partition on';
comment on column marketdata.archive.indexed_at is 'when the day''s index.json named the file, or a newer version; null until then [UTC]';
comment on column marketdata.archive.dropped_at is 'since when the file holds rows that Postgres does not: the first drop of the hour''s partition, also in later versions; null while Postgres has them all [UTC]';

grant select on marketdata.archive to booktape_reader;
