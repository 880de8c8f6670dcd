-- Footprint bars: what was traded at each price, by the minute. The cluster engine computes a minute
-- when it is asked for or kept up, and again after late trades. Nothing here is an original: every
-- row can be computed from trades, in Postgres or in the archive.
-- Writer: jobs/clusters; of invalidations the ingestor. Readers: jobs/clusters, jobs (retention).
-- Identity: (symbol_id, bucket). A row is a function of the trades of its minute alone.
-- Safe while the previous build runs: yes. The engine adds itself to invalidation_thresholds when it
-- starts for the first time; the previous build's retention waits until it has handled late trades.

create table marketdata.clusters (
  symbol_id bigint not null,
  bucket timestamptz not null,
  open double precision,
  high double precision,
  low double precision,
  close double precision,
  buy_volume double precision not null,
  sell_volume double precision not null,
  min_delta double precision not null,
  max_delta double precision not null,
  price double precision[] not null,
  buy_qty double precision[] not null,
  sell_qty double precision[] not null,
  buy_count integer[] not null,
  sell_count integer[] not null,
  constraint clusters_pkey primary key (symbol_id, bucket)
) partition by range (bucket);
comment on table marketdata.clusters is 'Footprint bars of a minute, at every price at which something was traded; one partition a day. A minute without trades that was computed has a row with empty arrays; a minute that nobody asked for has none. Partitions leave by age (RETENTION_DAYS_CLUSTERS): rows are computed again when they are asked for.';
comment on column marketdata.clusters.symbol_id is 'marketdata.symbols.id';
comment on column marketdata.clusters.bucket is 'start of the minute, by ts_exchange [UTC]';
comment on column marketdata.clusters.open is 'price of the first trade; null if nothing was traded [quote asset]';
comment on column marketdata.clusters.high is 'highest price; null if nothing was traded [quote asset]';
comment on column marketdata.clusters.low is 'lowest price; null if nothing was traded [quote asset]';
comment on column marketdata.clusters.close is 'price of the last trade; null if nothing was traded [quote asset]';
comment on column marketdata.clusters.buy_volume is 'quantity that takers bought [base asset]';
comment on column marketdata.clusters.sell_volume is 'quantity that takers sold [base asset]';
comment on column marketdata.clusters.min_delta is 'lowest value of the running delta (bought minus sold quantity), which starts at 0 with the minute [base asset]';
comment on column marketdata.clusters.max_delta is 'highest value of the running delta [base asset]';
comment on column marketdata.clusters.price is 'prices at which something was traded, ascending [quote asset]';
comment on column marketdata.clusters.buy_qty is 'quantity that takers bought, by price [base asset]';
comment on column marketdata.clusters.sell_qty is 'quantity that takers sold, by price [base asset]';
comment on column marketdata.clusters.buy_count is 'trades in which the taker bought, by price';
comment on column marketdata.clusters.sell_count is 'trades in which the taker sold, by price';

create table marketdata.cluster_versions (
  symbol_id bigint not null,
  day date not null,
  version bigint not null,
  constraint cluster_versions_pkey primary key (symbol_id, day)
);
comment on table marketdata.cluster_versions is 'How often late trades changed the clusters of a symbol and UTC day; no row: never. Caches keep bars by it, so that a bar from before a change is never read again.';
comment on column marketdata.cluster_versions.symbol_id is 'marketdata.symbols.id';
comment on column marketdata.cluster_versions.day is 'UTC day';
comment on column marketdata.cluster_versions.version is 'starts at 1; each change adds 1';

create table marketdata.cluster_watch (
  symbol_id bigint not null,
  watched_until timestamptz not null,
  constraint cluster_watch_pkey primary key (symbol_id)
);
comment on table marketdata.cluster_watch is 'Symbols whose clusters somebody reads: they are kept up until the watch ends.';
comment on column marketdata.cluster_watch.symbol_id is 'marketdata.symbols.id';
comment on column marketdata.cluster_watch.watched_until is 'when the watch ends unless somebody reads again [UTC]';

create table marketdata.cluster_epoch (
  only_row boolean not null default true,
  epoch uuid not null default gen_random_uuid(),
  constraint cluster_epoch_pkey primary key (only_row),
  constraint cluster_epoch_only_row_check check (only_row)
);
comment on table marketdata.cluster_epoch is 'Names the contents of marketdata.clusters: one row.';
comment on column marketdata.cluster_epoch.only_row is 'true: there is one row';
comment on column marketdata.cluster_epoch.epoch is 'changes when the clusters are computed anew, because late trades were not logged for them; caches keep bars by it';
insert into marketdata.cluster_epoch default values;

alter table marketdata.invalidations
  drop constraint invalidations_consumer_check,
  add constraint invalidations_consumer_check
    check (consumer in ('rollups', 'archive', 'orderbook_topn', 'features', 'clusters', 'signals'));
comment on column marketdata.invalidations.consumer is 'who has to look at it: rollups, archive, orderbook_topn, features or clusters';
comment on column marketdata.invalidation_thresholds.consumers is 'who wants to know: rollups, archive, orderbook_topn, features, clusters';

create or replace function marketdata.ensure_day(table_name text, day timestamptz) returns void
language plpgsql as $$
declare
  from_day timestamptz := date_bin('1 day', day, 'epoch');
  of_day text := table_name || to_char(from_day at time zone 'UTC', '"_"YYYYMMDD');
  from_hour timestamptz := date_bin('1 hour', day, 'epoch');
  of_hour text := table_name || to_char(from_hour at time zone 'UTC', '"_"YYYYMMDDHH24');
  by_the_hour boolean := table_name <> 'clusters'
    and coalesce(current_setting('booktape.rollup_partition', true), '') = 'hour';
begin
  if table_name not in ('bt_1s', 'trade_1s', 'depth_1s', 'clusters') then
    raise exception 'ensure_day: % is not partitioned by the day', table_name;
  end if;
  if to_regclass(format('marketdata.%I', of_day)) is not null
    or to_regclass(format('marketdata.%I', of_hour)) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('marketdata.ensure_day'), hashtext(of_day));
  if exists (
    select from pg_class
    where relname in (of_day, of_hour) and relnamespace = 'marketdata'::regnamespace
  ) then
    return;
  end if;
  if by_the_hour or exists (
    select from pg_class
    where relname like replace(of_day, '_', '\_') || '__' and relnamespace = 'marketdata'::regnamespace
  ) then
    execute format('create table marketdata.%I (like marketdata.%I including all)', of_hour, table_name);
    execute format('alter table marketdata.%I attach partition marketdata.%I for values from (%L) to (%L)',
      table_name, of_hour, from_hour, from_hour + interval '1 hour');
  else
    execute format('create table marketdata.%I (like marketdata.%I including all)', of_day, table_name);
    execute format('alter table marketdata.%I attach partition marketdata.%I for values from (%L) to (%L)',
      table_name, of_day, from_day, from_day + interval '1 day');
  end if;
end $$;
comment on function marketdata.ensure_day is 'Creates the partition of a rollup or of clusters that holds the given time: the UTC day''s, or for rollups the hour''s where booktape.rollup_partition is hour.';

grant select on marketdata.clusters to booktape_reader;
