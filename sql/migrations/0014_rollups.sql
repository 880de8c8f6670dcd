-- One row a second and symbol of quotes, trades and depth, kept true by a watermark and by a log
-- of what changed below it.
-- Writer: jobs (rollups); of invalidations ingestor (with the rows) and jobs (orderbook_topn).
-- Readers: edge-api, jobs.
-- Identity: (symbol_id, bucket). A row is a function of the raw rows of its second alone.
-- Safe while the previous build runs: no. A previous ingestor logs no late rows; what it writes
-- below the watermark is missed by the rollups. Start the new one first, then the rollups.

-- What is behind which rows are told of that come late. A writer reads it `for share` after its
-- rows and before its commit; whoever is about to read what is final so far raises it first, and so
-- waits for every writer that has seen the old one.
create table marketdata.invalidation_thresholds (
  table_name text not null,
  consumers text[] not null,
  threshold timestamptz not null default '-infinity',
  constraint invalidation_thresholds_pkey primary key (table_name)
);
comment on table marketdata.invalidation_thresholds is 'Per table: rows that are added with an older ts_exchange are told of in invalidations.';
comment on column marketdata.invalidation_thresholds.table_name is 'raw table, or orderbook_topn';
comment on column marketdata.invalidation_thresholds.consumers is 'who wants to be told: rollups, archive';
comment on column marketdata.invalidation_thresholds.threshold is 'ts_exchange below which a new row is a late one; only ever raised [UTC]';
insert into marketdata.invalidation_thresholds (table_name, consumers) values
  ('book_ticker', '{rollups,archive}'), ('trades', '{rollups,archive}'),
  ('depth_events', '{rollups,archive}'), ('mark_price', '{archive}'),
  ('liquidations', '{archive}'), ('orderbook_topn', '{rollups}');

create function marketdata.raise_invalidation_threshold(of_table text, to_ts timestamptz)
returns void language sql set lock_timeout = '10s' as $$
  update marketdata.invalidation_thresholds set threshold = to_ts
  where table_name = of_table and threshold < to_ts
$$;
comment on function marketdata.raise_invalidation_threshold is 'To be committed before rows older than to_ts are read as final: from then on late ones are told of.';

create table marketdata.invalidations (
  id bigint generated always as identity,
  consumer text not null,
  table_name text not null,
  symbol_id bigint not null,
  lowest timestamptz not null,
  greatest timestamptz not null,
  logged_at timestamptz not null default now(),
  constraint invalidations_pkey primary key (id),
  constraint invalidations_consumer_check check (consumer in ('rollups', 'archive'))
);
create index invalidations_consumer_idx on marketdata.invalidations (consumer, table_name, lowest);
comment on table marketdata.invalidations is 'Late rows: what was added to or changed in a table below its threshold. A consumer deletes what it has made good, in the same transaction.';
comment on column marketdata.invalidations.consumer is 'who has to look at it: rollups or archive';
comment on column marketdata.invalidations.table_name is 'table that the rows are in';
comment on column marketdata.invalidations.lowest is 'smallest ts_exchange of the rows; those of an ingestor lie in one hour [UTC]';
comment on column marketdata.invalidations.greatest is 'largest ts_exchange of the rows [UTC]';
comment on column marketdata.invalidations.logged_at is 'when they were written [UTC]';

create table marketdata.rollup_watermarks (
  rollup text not null,
  watermark timestamptz not null default '-infinity',
  refreshed_at timestamptz,
  constraint rollup_watermarks_pkey primary key (rollup)
);
comment on table marketdata.rollup_watermarks is 'How far each rollup has been made: every second before the watermark has its row where anything happened in it.';
comment on column marketdata.rollup_watermarks.rollup is 'bt_1s, trade_1s or depth_1s';
comment on column marketdata.rollup_watermarks.watermark is 'end of the newest second that was made [UTC]';
comment on column marketdata.rollup_watermarks.refreshed_at is 'when it was last raised [UTC]';
insert into marketdata.rollup_watermarks (rollup) values ('bt_1s'), ('trade_1s'), ('depth_1s');

create table marketdata.bt_1s (
  symbol_id bigint not null,
  bucket timestamptz not null,
  bid_open double precision,
  bid_high double precision,
  bid_low double precision,
  bid_close double precision,
  ask_open double precision,
  ask_high double precision,
  ask_low double precision,
  ask_close double precision,
  mid_open double precision,
  mid_high double precision,
  mid_low double precision,
  mid_close double precision,
  mid_mean double precision,
  bid_qty_open double precision not null,
  bid_qty_close double precision not null,
  bid_qty_min double precision not null,
  bid_qty_max double precision not null,
  bid_qty_mean double precision not null,
  ask_qty_open double precision not null,
  ask_qty_close double precision not null,
  ask_qty_min double precision not null,
  ask_qty_max double precision not null,
  ask_qty_mean double precision not null,
  spread_min double precision,
  spread_max double precision,
  spread_mean double precision,
  microprice_close double precision,
  microprice_mean double precision,
  ofi_inside double precision not null,
  quote_count bigint not null,
  constraint bt_1s_pkey primary key (symbol_id, bucket)
) partition by range (bucket);
comment on table marketdata.bt_1s is 'Quotes by the second, one partition a day; no row for a second without a quote. Prices are of quotes with two sides: of one with an empty side (price 0) they are null. The newest seconds are in market_data_1s only.';
comment on column marketdata.bt_1s.mid_mean is 'mean mid over the quotes with two sides, each counting once [quote asset]';
comment on column marketdata.bt_1s.microprice_close is 'mid weighted by the opposite quantities, (ask bid_qty + bid ask_qty) / (bid_qty + ask_qty), of the last quote; null where both quantities are 0 or a side is empty [quote asset]';
comment on column marketdata.bt_1s.microprice_mean is 'its mean over the quotes, each counting once; null where none has one [quote asset]';
comment on column marketdata.bt_1s.ofi_inside is 'order flow imbalance (Cont, Kukanov, Stoikov 2014) from quote to quote within the second, 0 for its first and after one with an empty side; with the open and close of neighbouring seconds it adds up to that of any span. Holes are not looked at: see gaps [base asset]';
comment on column marketdata.bt_1s.quote_count is 'quotes of the second';

create table marketdata.trade_1s (
  symbol_id bigint not null,
  bucket timestamptz not null,
  open double precision not null,
  high double precision not null,
  low double precision not null,
  close double precision not null,
  volume double precision not null,
  notional double precision not null,
  trade_count bigint not null,
  buy_volume double precision not null,
  sell_volume double precision not null,
  buy_count bigint not null,
  sell_count bigint not null,
  vwap double precision,
  buy_ratio double precision,
  constraint trade_1s_pkey primary key (symbol_id, bucket)
) partition by range (bucket);
comment on table marketdata.trade_1s is 'Trades by the second, one partition a day; no row for a second without a trade. The newest seconds are in market_data_1s only.';
comment on column marketdata.trade_1s.open is 'price of the first trade [quote asset]';
comment on column marketdata.trade_1s.high is 'highest price [quote asset]';
comment on column marketdata.trade_1s.low is 'lowest price [quote asset]';
comment on column marketdata.trade_1s.close is 'price of the last trade [quote asset]';
comment on column marketdata.trade_1s.volume is 'traded quantity [base asset]';
comment on column marketdata.trade_1s.notional is 'traded value, sum of price x qty [quote asset]';
comment on column marketdata.trade_1s.trade_count is 'rows of trades';
comment on column marketdata.trade_1s.buy_volume is 'quantity that takers bought [base asset]';
comment on column marketdata.trade_1s.sell_volume is 'quantity that takers sold [base asset]';
comment on column marketdata.trade_1s.buy_count is 'trades in which the taker bought';
comment on column marketdata.trade_1s.sell_count is 'trades in which the taker sold';
comment on column marketdata.trade_1s.vwap is 'notional / volume; null where the volume is 0 [quote asset]';
comment on column marketdata.trade_1s.buy_ratio is 'buy_volume / volume; null where the volume is 0 [1]';

create table marketdata.depth_1s (
  symbol_id bigint not null,
  bucket timestamptz not null,
  diff_count bigint not null,
  partial_count bigint not null,
  snapshot_count bigint not null,
  bid_change_count bigint not null,
  ask_change_count bigint not null,
  final_update_id bigint,
  book_count bigint not null,
  book_bid_first double precision,
  book_bid_last double precision,
  book_ask_first double precision,
  book_ask_last double precision,
  book_bid_qty_first double precision,
  book_bid_qty_last double precision,
  book_ask_qty_first double precision,
  book_ask_qty_last double precision,
  book_bid_qty10_first double precision,
  book_bid_qty10_last double precision,
  book_ask_qty10_first double precision,
  book_ask_qty10_last double precision,
  book_ofi_inside double precision,
  constraint depth_1s_pkey primary key (symbol_id, bucket)
) partition by range (bucket);
comment on table marketdata.depth_1s is 'The book by the second, one partition a day: how often it changed from depth_events, what it looked like from orderbook_topn. No row for a second without either. The newest seconds are in market_data_1s only.';
comment on column marketdata.depth_1s.diff_count is 'diffs of the second';
comment on column marketdata.depth_1s.partial_count is 'partial books of the second';
comment on column marketdata.depth_1s.snapshot_count is 'snapshots of the second';
comment on column marketdata.depth_1s.bid_change_count is 'bid levels that the diffs name';
comment on column marketdata.depth_1s.ask_change_count is 'ask levels that the diffs name';
comment on column marketdata.depth_1s.final_update_id is 'largest update id of the depth events; null where there was none';
comment on column marketdata.depth_1s.book_count is 'rows of orderbook_topn; the columns book_... are null where there is none';
comment on column marketdata.depth_1s.book_ofi_inside is 'order flow imbalance at the best level from row to row of orderbook_topn within the second, 0 for its first. Changes between two rows (100 ms) are netted: bt_1s.ofi_inside has every quote [base asset]';

do $$
declare
  t text;
  side text;
  place text;
begin
  foreach t in array array['bt_1s', 'trade_1s', 'depth_1s'] loop
    execute format('comment on column marketdata.%I.symbol_id is %L', t, 'marketdata.symbols.id');
    execute format('comment on column marketdata.%I.bucket is %L', t, 'start of the second, by ts_exchange [UTC]');
  end loop;
  foreach side in array array['bid', 'ask', 'mid'] loop
    execute format('comment on column marketdata.bt_1s.%s_open is %L', side, side || ' price of the first quote [quote asset]');
    execute format('comment on column marketdata.bt_1s.%s_high is %L', side, 'highest ' || side || ' price [quote asset]');
    execute format('comment on column marketdata.bt_1s.%s_low is %L', side, 'lowest ' || side || ' price [quote asset]');
    execute format('comment on column marketdata.bt_1s.%s_close is %L', side, side || ' price of the last quote [quote asset]');
  end loop;
  foreach side in array array['bid', 'ask'] loop
    execute format('comment on column marketdata.bt_1s.%s_qty_open is %L', side, format('quantity at the best %s of the first quote [base asset]', side));
    execute format('comment on column marketdata.bt_1s.%s_qty_close is %L', side, format('quantity at the best %s of the last quote [base asset]', side));
    execute format('comment on column marketdata.bt_1s.%s_qty_min is %L', side, format('smallest quantity at the best %s [base asset]', side));
    execute format('comment on column marketdata.bt_1s.%s_qty_max is %L', side, format('largest quantity at the best %s [base asset]', side));
    execute format('comment on column marketdata.bt_1s.%s_qty_mean is %L', side, format('mean quantity at the best %s over the quotes, each counting once [base asset]', side));
    foreach place in array array['first', 'last'] loop
      execute format('comment on column marketdata.depth_1s.book_%s_%s is %L', side, place, format('best %s price in the %s row of orderbook_topn [quote asset]', side, place));
      execute format('comment on column marketdata.depth_1s.book_%s_qty_%s is %L', side, place, format('quantity at the best %s in the %s row [base asset]', side, place));
      execute format('comment on column marketdata.depth_1s.book_%s_qty10_%s is %L', side, place, format('quantity of the best ten %s levels in the %s row, or of all where there are fewer [base asset]', side, place));
    end loop;
  end loop;
  foreach place in array array['min', 'max', 'mean'] loop
    execute format('comment on column marketdata.bt_1s.spread_%s is %L', place, place || ' of best_ask - best_bid over the quotes [quote asset]');
  end loop;
end $$;

-- The formulas, once for the refresh and for the newest seconds: the rows of [from_ts, to_ts) of one
-- symbol, where both are whole seconds. Sums run in the order of the raw table's key, so that the
-- same rows give the same bits.
create function marketdata.bt_1s_of(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz)
returns setof marketdata.bt_1s language sql stable as $$
  with two_sided as (
    select date_bin('1 second', ts_exchange, timestamptz 'epoch') as bucket, ts_exchange, update_id,
      case when best_bid > 0 and best_ask > 0 then best_bid end as bid,
      case when best_bid > 0 and best_ask > 0 then best_ask end as ask,
      bid_qty, ask_qty
    from marketdata.book_ticker
    where symbol_id = of_symbol_id and ts_exchange >= from_ts and ts_exchange < to_ts
  ), quote as (
    select bucket, bid, ask, bid_qty, ask_qty, (ask + bid) / 2 as mid, ask - bid as spread,
      (ask * bid_qty + bid * ask_qty) / nullif(bid_qty + ask_qty, 0) as microprice,
      lag(bid) over w as bid_before, lag(bid_qty) over w as bid_qty_before,
      lag(ask) over w as ask_before, lag(ask_qty) over w as ask_qty_before,
      lag(update_id) over w is null as is_first, lead(update_id) over w is null as is_last
    from two_sided
    window w as (partition by bucket order by ts_exchange, update_id)
  )
  select of_symbol_id, bucket,
    max(bid) filter (where is_first), max(bid), min(bid), max(bid) filter (where is_last),
    max(ask) filter (where is_first), max(ask), min(ask), max(ask) filter (where is_last),
    max(mid) filter (where is_first), max(mid), min(mid), max(mid) filter (where is_last),
    sum(mid) / nullif(count(mid), 0),
    max(bid_qty) filter (where is_first), max(bid_qty) filter (where is_last),
    min(bid_qty), max(bid_qty), sum(bid_qty) / count(*),
    max(ask_qty) filter (where is_first), max(ask_qty) filter (where is_last),
    min(ask_qty), max(ask_qty), sum(ask_qty) / count(*),
    min(spread), max(spread), sum(spread) / nullif(count(spread), 0),
    max(microprice) filter (where is_last), sum(microprice) / nullif(count(microprice), 0),
    coalesce(sum(
      case when bid >= bid_before then bid_qty else 0 end
      - case when bid <= bid_before then bid_qty_before else 0 end
      - case when ask <= ask_before then ask_qty else 0 end
      + case when ask >= ask_before then ask_qty_before else 0 end
    ) filter (where not is_first), 0),
    count(*)
  from quote
  group by bucket
$$;
comment on function marketdata.bt_1s_of is 'bt_1s of one symbol and span, from book_ticker.';

create function marketdata.trade_1s_of(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz)
returns setof marketdata.trade_1s language sql stable as $$
  with trade as (
    select date_bin('1 second', ts_exchange, timestamptz 'epoch') as bucket,
      price, qty, is_buyer_maker,
      lag(agg_trade_id) over w is null as is_first, lead(agg_trade_id) over w is null as is_last
    from marketdata.trades
    where symbol_id = of_symbol_id and ts_exchange >= from_ts and ts_exchange < to_ts
    window w as (
      partition by date_bin('1 second', ts_exchange, timestamptz 'epoch')
      order by ts_exchange, agg_trade_id
    )
  )
  select of_symbol_id, bucket,
    max(price) filter (where is_first), max(price), min(price), max(price) filter (where is_last),
    sum(qty), sum(price * qty), count(*),
    coalesce(sum(qty) filter (where not is_buyer_maker), 0),
    coalesce(sum(qty) filter (where is_buyer_maker), 0),
    count(*) filter (where not is_buyer_maker), count(*) filter (where is_buyer_maker),
    sum(price * qty) / nullif(sum(qty), 0),
    coalesce(sum(qty) filter (where not is_buyer_maker), 0) / nullif(sum(qty), 0)
  from trade
  group by bucket
$$;
comment on function marketdata.trade_1s_of is 'trade_1s of one symbol and span, from trades.';

create function marketdata.depth_1s_of(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz)
returns setof marketdata.depth_1s language sql stable as $$
  with event as (
    select date_bin('1 second', ts_exchange, timestamptz 'epoch') as bucket,
      count(*) filter (where depth_kind = 'diff') as diff_count,
      count(*) filter (where depth_kind = 'partial') as partial_count,
      count(*) filter (where depth_kind = 'snapshot') as snapshot_count,
      coalesce(sum(array_length(bids, 1)) filter (where depth_kind = 'diff'), 0) as bid_change_count,
      coalesce(sum(array_length(asks, 1)) filter (where depth_kind = 'diff'), 0) as ask_change_count,
      max(final_update_id) as final_update_id
    from marketdata.depth_events
    where symbol_id = of_symbol_id and ts_exchange >= from_ts and ts_exchange < to_ts
    group by 1
  ), state as (
    select date_bin('1 second', ts_exchange, timestamptz 'epoch') as bucket,
      b1_price as bid, a1_price as ask, b1_qty as bid_qty, a1_qty as ask_qty,
      b1_qty + coalesce(b2_qty, 0) + coalesce(b3_qty, 0) + coalesce(b4_qty, 0) + coalesce(b5_qty, 0)
        + coalesce(b6_qty, 0) + coalesce(b7_qty, 0) + coalesce(b8_qty, 0) + coalesce(b9_qty, 0)
        + coalesce(b10_qty, 0) as bid_qty10,
      a1_qty + coalesce(a2_qty, 0) + coalesce(a3_qty, 0) + coalesce(a4_qty, 0) + coalesce(a5_qty, 0)
        + coalesce(a6_qty, 0) + coalesce(a7_qty, 0) + coalesce(a8_qty, 0) + coalesce(a9_qty, 0)
        + coalesce(a10_qty, 0) as ask_qty10,
      lag(b1_price) over w as bid_before, lag(b1_qty) over w as bid_qty_before,
      lag(a1_price) over w as ask_before, lag(a1_qty) over w as ask_qty_before,
      lag(final_update_id) over w is null as is_first, lead(final_update_id) over w is null as is_last
    from marketdata.orderbook_topn
    where symbol_id = of_symbol_id and ts_exchange >= from_ts and ts_exchange < to_ts
    window w as (
      partition by date_bin('1 second', ts_exchange, timestamptz 'epoch') order by ts_exchange
    )
  ), book as (
    select bucket, count(*) as book_count,
      max(bid) filter (where is_first) as bid_first, max(bid) filter (where is_last) as bid_last,
      max(ask) filter (where is_first) as ask_first, max(ask) filter (where is_last) as ask_last,
      max(bid_qty) filter (where is_first) as bid_qty_first,
      max(bid_qty) filter (where is_last) as bid_qty_last,
      max(ask_qty) filter (where is_first) as ask_qty_first,
      max(ask_qty) filter (where is_last) as ask_qty_last,
      max(bid_qty10) filter (where is_first) as bid_qty10_first,
      max(bid_qty10) filter (where is_last) as bid_qty10_last,
      max(ask_qty10) filter (where is_first) as ask_qty10_first,
      max(ask_qty10) filter (where is_last) as ask_qty10_last,
      coalesce(sum(
        case when bid >= bid_before then bid_qty else 0 end
        - case when bid <= bid_before then bid_qty_before else 0 end
        - case when ask <= ask_before then ask_qty else 0 end
        + case when ask >= ask_before then ask_qty_before else 0 end
      ) filter (where not is_first), 0) as ofi_inside
    from state
    group by bucket
  )
  select of_symbol_id, bucket,
    coalesce(diff_count, 0), coalesce(partial_count, 0), coalesce(snapshot_count, 0),
    coalesce(bid_change_count, 0), coalesce(ask_change_count, 0), final_update_id,
    coalesce(book_count, 0),
    bid_first, bid_last, ask_first, ask_last,
    bid_qty_first, bid_qty_last, ask_qty_first, ask_qty_last,
    bid_qty10_first, bid_qty10_last, ask_qty10_first, ask_qty10_last,
    ofi_inside
  from event full join book using (bucket)
$$;
comment on function marketdata.depth_1s_of is 'depth_1s of one symbol and span, from depth_events and orderbook_topn.';

-- The seconds from the watermark on. Planned anew in each call, so that only the partitions of the
-- last minute are looked at; stable, so that watermark, rows and rollup are of one moment.
do $$
declare
  t text;
begin
  foreach t in array array['bt_1s', 'trade_1s', 'depth_1s'] loop
    execute format($body$
      create function marketdata.%1$I_tail(of_symbol_id bigint)
      returns setof marketdata.%1$I language plpgsql stable as $function$
      begin
        return query execute 'select * from marketdata.%1$I_of($1, $2, ''infinity'')'
          using of_symbol_id,
            (select watermark from marketdata.rollup_watermarks where rollup = %1$L);
      end $function$;
      comment on function marketdata.%1$I_tail is 'Seconds of one symbol that %1$s has not got yet.'$body$, t);
  end loop;
end $$;

-- The three side by side, up to the newest row: rollup below the watermark, raw rows from there on.
-- Where the rows of a view meet by full joins, Postgres would look for a span in all of them; here
-- a condition on symbol and bucket reaches every branch.
do $$
declare
  names text;
  branches text;
begin
  create temp table part on commit drop as
  select c.relname::text as rollup, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
    array_position('{bt_1s,trade_1s,depth_1s}', c.relname::text) * 1000 + a.attnum as position
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
  where c.relnamespace = 'marketdata'::regnamespace
    and c.relname in ('bt_1s', 'trade_1s', 'depth_1s') and a.attname not in ('symbol_id', 'bucket');
  select string_agg(format('max(%1$I) as %1$I', name), ', ' order by position) into names from part;
  select string_agg(format('select bucket, %1$s from marketdata.%2$I where symbol_id = s.id
      and bucket < (select watermark from marketdata.rollup_watermarks where rollup = %2$L)
    union all select bucket, %1$s from marketdata.%2$I_tail(s.id)', cells, of_rollup), ' union all ')
  into branches
  from (
    select r.of_rollup, string_agg(
      case when rollup = r.of_rollup then quote_ident(name) else format('null::%s as %I', type, name) end,
      ', ' order by position) as cells
    from unnest(array['bt_1s', 'trade_1s', 'depth_1s']) as r (of_rollup) cross join part
    group by r.of_rollup
  ) b;
  execute format('create view marketdata.market_data_1s as
    select s.exchange, s.symbol, s.id as symbol_id, m.*
    from marketdata.symbols s
    cross join lateral (select bucket, %s from (%s) u group by bucket) m', names, branches);
end $$;
comment on view marketdata.market_data_1s is 'bt_1s, trade_1s and depth_1s side by side up to the newest row; columns of a stream that was silent in the second are null. Ask with bounds on bucket.';

-- Each column of the view means what it means in its table.
do $$
declare
  c record;
begin
  for c in
    select distinct on (a.attname) a.attname, col_description(a.attrelid, a.attnum) as meaning
    from pg_attribute a
    where a.attrelid in ('marketdata.bt_1s'::regclass, 'marketdata.trade_1s'::regclass, 'marketdata.depth_1s'::regclass)
      and a.attnum > 0
    order by a.attname, a.attrelid
  loop
    execute format('comment on column marketdata.market_data_1s.%I is %L', c.attname, c.meaning);
  end loop;
end $$;

grant select on marketdata.bt_1s, marketdata.trade_1s, marketdata.depth_1s,
  marketdata.rollup_watermarks, marketdata.market_data_1s to booktape_reader;

create function marketdata.ensure_day(table_name text, day timestamptz) returns void
language plpgsql as $$
declare
  from_ts timestamptz := date_bin('1 day', day, 'epoch');
  part text := table_name || to_char(from_ts at time zone 'UTC', '"_"YYYYMMDD');
begin
  if table_name not in ('bt_1s', 'trade_1s', 'depth_1s') then
    raise exception 'ensure_day: % is not partitioned by the day', table_name;
  end if;
  if to_regclass(format('marketdata.%I', part)) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('marketdata.ensure_day'), hashtext(part));
  if exists (
    select from pg_class where relname = part and relnamespace = 'marketdata'::regnamespace
  ) then
    return;
  end if;
  execute format('create table marketdata.%I (like marketdata.%I including all)', part, table_name);
  execute format('alter table marketdata.%I attach partition marketdata.%I for values from (%L) to (%L)',
    table_name, part, from_ts, from_ts + interval '1 day');
end $$;
comment on function marketdata.ensure_day is 'Creates the partition of one rollup for the UTC day that holds the given time.';
