-- The best ten levels of every book, sampled, with what follows from them.
-- Writer: jobs (orderbook_topn), from depth_events. Readers: edge-api, jobs.
-- Identity: (symbol_id, ts_exchange). A row is a function of depth_events alone: written twice it
-- is the same row.
-- Safe while the previous build runs: yes (new tables).

create table marketdata.orderbook_topn (
  ts_exchange timestamptz not null,
  symbol_id bigint not null,
  final_update_id bigint not null,
  constraint orderbook_topn_pkey primary key (symbol_id, ts_exchange)
) partition by range (ts_exchange);
comment on table marketdata.orderbook_topn is 'The best ten levels of the book, every second and every 100 ms in which they changed (TOPN_MIN_MS, TOPN_MAX_MS), one partition an hour. No row where the book is not known.';
comment on column marketdata.orderbook_topn.ts_exchange is 'the moment: the row shows the book after every change with ts_exchange up to it [UTC]';
comment on column marketdata.orderbook_topn.symbol_id is 'marketdata.symbols.id';
comment on column marketdata.orderbook_topn.final_update_id is 'update id of the newest change in the book';

do $$
declare
  side text;
  name text;
  k int;
begin
  foreach side in array array['bid', 'ask'] loop
    for k in 1..10 loop
      name := left(side, 1) || k;
      execute format('alter table marketdata.orderbook_topn add column %I double precision, add column %I double precision', name || '_price', name || '_qty');
      execute format('comment on column marketdata.orderbook_topn.%I is %L', name || '_price', format('price of the best %s level no. %s [quote asset]; null where the book has fewer', side, k));
      execute format('comment on column marketdata.orderbook_topn.%I is %L', name || '_qty', format('quantity at the best %s level no. %s [base asset]; null where the book has fewer', side, k));
    end loop;
  end loop;
end $$;

alter table marketdata.orderbook_topn
  add column i1 double precision,
  add column i5 double precision,
  add column i10 double precision,
  add column microprice double precision;
comment on column marketdata.orderbook_topn.i1 is 'imbalance of the best level, -1 to 1: (b1_qty - a1_qty) / (b1_qty + a1_qty); null where a side is empty [1]';
comment on column marketdata.orderbook_topn.i5 is 'imbalance of the best 5 levels, -1 to 1; null where a side has fewer [1]';
comment on column marketdata.orderbook_topn.i10 is 'imbalance of the best 10 levels, -1 to 1; null where a side has fewer [1]';
comment on column marketdata.orderbook_topn.microprice is 'mid weighted by the opposite quantities, (a1_price b1_qty + b1_price a1_qty) / (a1_qty + b1_qty), which is not Stoikov''s micro-price; null where a side is empty [quote asset]';

do $$
declare
  side text;
begin
  foreach side in array array['bid', 'ask'] loop
    execute format('alter table marketdata.orderbook_topn
      add column %1$s_wall_size double precision, add column %1$s_wall_dist_bps double precision,
      add column %1$s_wall_ratio double precision, add column %1$s_slope double precision', side);
    execute format('comment on column marketdata.orderbook_topn.%s_wall_size is %L', side, format('quantity of the largest of the best 10 %s levels [base asset]; null where there are fewer, or no mid', side));
    execute format('comment on column marketdata.orderbook_topn.%s_wall_dist_bps is %L', side, format('distance of the largest of the best 10 %s levels from the mid [bps]; null as its size', side));
    execute format('comment on column marketdata.orderbook_topn.%s_wall_ratio is %L', side, format('quantity of the largest of the best 10 %s levels over their median; 5 and more is often called a wall [1]; null as its size', side));
    execute format('comment on column marketdata.orderbook_topn.%s_slope is %L', side, format('liquidity slope of the best 10 %s levels: cumulated quantity over distance from the mid, least squares through the origin [base asset per bps]; null as the wall', side));
  end loop;
end $$;

create table marketdata.orderbook_topn_watermarks (
  symbol_id bigint not null,
  covered_to timestamptz not null,
  updated_at timestamptz not null default now(),
  constraint orderbook_topn_watermarks_pkey primary key (symbol_id)
);
comment on table marketdata.orderbook_topn_watermarks is 'How far orderbook_topn has been written. Deleting a row has the symbol written anew from its oldest snapshot.';
comment on column marketdata.orderbook_topn_watermarks.symbol_id is 'marketdata.symbols.id';
comment on column marketdata.orderbook_topn_watermarks.covered_to is 'every moment before it has its row, where the book was known [UTC]';

grant select on marketdata.orderbook_topn to booktape_reader;

create or replace function marketdata.ensure_hour(table_name text, hour timestamptz) returns void
language plpgsql as $$
declare
  from_ts timestamptz := date_bin('1 hour', hour, 'epoch');
  part text := table_name || to_char(from_ts at time zone 'UTC', '"_"YYYYMMDDHH24');
begin
  if table_name not in ('book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations',
    'orderbook_topn') then
    raise exception 'ensure_hour: % is not partitioned by the hour', table_name;
  end if;
  if to_regclass(format('marketdata.%I', part)) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('marketdata.ensure_hour'), hashtext(part));
  if exists (
    select from pg_class where relname = part and relnamespace = 'marketdata'::regnamespace
  ) then
    return;
  end if;
  execute format('create table marketdata.%I (like marketdata.%I including all)', part, table_name);
  execute format('alter table marketdata.%I attach partition marketdata.%I for values from (%L) to (%L)',
    table_name, part, from_ts, from_ts + interval '1 hour');
end $$;
