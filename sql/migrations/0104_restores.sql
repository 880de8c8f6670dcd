-- What was restored into this database from a backup, so that an interrupted restore goes on and a
-- finished one is not repeated.
-- Writer: restore. Readers: restore, people. Identity: backup_id.
-- Safe while the previous build runs: yes (a new table).

create table marketdata.restores (
  backup_id text not null,
  kind text not null,
  taken_at timestamptz not null,
  from_hour timestamptz,
  to_hour timestamptz,
  began_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint restores_pkey primary key (backup_id)
);
comment on table marketdata.restores is 'Backups that were restored into this database.';
comment on column marketdata.restores.backup_id is 'folder of the backup under backups/ in the object store';
comment on column marketdata.restores.kind is 'full, or state: without rows of market data that the lake lacks';
comment on column marketdata.restores.taken_at is 'time of the backup''s snapshot [UTC]';
comment on column marketdata.restores.from_hour is 'first hour to load from the lake; null: only what the recorder needs to go on [UTC]';
comment on column marketdata.restores.to_hour is 'end of the last hour to load from the lake [UTC]';
comment on column marketdata.restores.began_at is 'when its state was in place [UTC]';
comment on column marketdata.restores.finished_at is 'when every hour of the range was loaded; null until then [UTC]';
