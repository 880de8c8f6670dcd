-- The lake: Iceberg tables over the files of the archive and of the datasets.
-- Writer: jobs (lake). Readers: jobs, people.
-- Identity: lake_tables by name; lake_days by (dataset, schema_version, date).
-- Safe while the previous build runs: yes. Its hours have no lake_at, so the lake finds them later.

alter table marketdata.archive add column lake_at timestamptz, add column expired_at timestamptz;
create index archive_lake_idx on marketdata.archive (table_name, hour) where lake_at is null;
comment on column marketdata.archive.lake_at is 'when a snapshot of the lake named the file, or a newer version; null until then [UTC]';
comment on column marketdata.archive.expired_at is 'when the file was deleted, after a newer version had replaced it and no snapshot named it any more; null: it is there [UTC]';

create table marketdata.lake_tables (
  name text not null,
  version bigint not null,
  version_name text not null,
  committed_at timestamptz not null default now(),
  constraint lake_tables_pkey primary key (name)
);
comment on table marketdata.lake_tables is 'Current metadata of the lake''s tables, for object stores that cannot refuse to overwrite an object. Other stores decide by themselves, and their tables have no row.';
comment on column marketdata.lake_tables.name is 'namespace and name, such as raw.trades';
comment on column marketdata.lake_tables.version is 'number of the commit, from 1';
comment on column marketdata.lake_tables.version_name is 'part of the name of the metadata file that was committed, such as 12-5f3a90c1';
comment on column marketdata.lake_tables.committed_at is 'when it was committed [UTC]';

create table marketdata.lake_days (
  dataset text not null,
  schema_version integer not null,
  date date not null,
  build text,
  checked_at timestamptz not null,
  constraint lake_days_pkey primary key (dataset, schema_version, date)
);
comment on table marketdata.lake_days is 'Days of datasets that the lake has looked at.';
comment on column marketdata.lake_days.dataset is 'name of the dataset';
comment on column marketdata.lake_days.schema_version is 'version of its columns';
comment on column marketdata.lake_days.date is 'UTC day';
comment on column marketdata.lake_days.build is 'the build that the lake''s newest snapshot names; null: the day is not published, or not over';
comment on column marketdata.lake_days.checked_at is 'when the manifest was read; runs of the day that ended later are still to be looked at [UTC]';

grant select on marketdata.lake_tables, marketdata.lake_days to booktape_reader;
