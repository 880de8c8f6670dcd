-- The numbering of the live stream. A message's seq is the ts_ingest of its rows, so the numbering is
-- that of this database: it outlives tapes and programs. A cursor of another epoch is refused.
-- Writer: this migration. Reader: ingestor/live.
-- Safe while the previous build runs: yes (a new table, and rights).

create table marketdata.live_epoch (
  only_row boolean not null default true,
  epoch uuid not null default gen_random_uuid(),
  began_at timestamptz not null default now(),
  constraint live_epoch_pkey primary key (only_row),
  constraint live_epoch_only_row_check check (only_row)
);
comment on table marketdata.live_epoch is 'The numbering of the messages of the live stream: one row.';
comment on column marketdata.live_epoch.only_row is 'true: there is one row';
comment on column marketdata.live_epoch.epoch is 'names the numbering; a cursor is valid only in the epoch of its message';
comment on column marketdata.live_epoch.began_at is 'when the numbering began: no message is older [UTC]';
insert into marketdata.live_epoch default values;

-- The live server begins where the writers have committed, and may log in as a reader.
grant select on marketdata.live_epoch, marketdata.tape_positions, marketdata.stream_offsets
  to booktape_reader;
