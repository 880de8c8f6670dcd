-- The rollups by other formulas, in the place of the tables of migration 0014: aggregates over whole
-- rows instead of window functions, in doubles. Columns as in 0014, but for the OFI within a second.

drop view marketdata.market_data_1s;
drop table marketdata.bt_1s, marketdata.trade_1s, marketdata.depth_1s cascade;

create view marketdata.bt_1s as
select symbol_id, date_bin('1 second', ts_exchange, 'epoch') as bucket,
  (array_agg(best_bid order by ts_exchange, update_id))[1] as bid_open,
  max(best_bid) as bid_high,
  min(best_bid) as bid_low,
  (array_agg(best_bid order by ts_exchange desc, update_id desc))[1] as bid_close,
  (array_agg(best_ask order by ts_exchange, update_id))[1] as ask_open,
  max(best_ask) as ask_high,
  min(best_ask) as ask_low,
  (array_agg(best_ask order by ts_exchange desc, update_id desc))[1] as ask_close,
  (array_agg((best_ask + best_bid) / 2 order by ts_exchange, update_id))[1] as mid_open,
  max((best_ask + best_bid) / 2) as mid_high,
  min((best_ask + best_bid) / 2) as mid_low,
  (array_agg((best_ask + best_bid) / 2 order by ts_exchange desc, update_id desc))[1] as mid_close,
  avg((best_ask + best_bid) / 2) as mid_mean,
  (array_agg(bid_qty order by ts_exchange, update_id))[1] as bid_qty_open,
  (array_agg(bid_qty order by ts_exchange desc, update_id desc))[1] as bid_qty_close,
  min(bid_qty) as bid_qty_min, max(bid_qty) as bid_qty_max, avg(bid_qty) as bid_qty_mean,
  (array_agg(ask_qty order by ts_exchange, update_id))[1] as ask_qty_open,
  (array_agg(ask_qty order by ts_exchange desc, update_id desc))[1] as ask_qty_close,
  min(ask_qty) as ask_qty_min, max(ask_qty) as ask_qty_max, avg(ask_qty) as ask_qty_mean,
  min(best_ask - best_bid) as spread_min,
  max(best_ask - best_bid) as spread_max,
  avg(best_ask - best_bid) as spread_mean,
  (array_agg((best_ask * bid_qty + best_bid * ask_qty) / nullif(bid_qty + ask_qty, 0)
    order by ts_exchange desc, update_id desc))[1] as microprice_close,
  avg((best_ask * bid_qty + best_bid * ask_qty) / nullif(bid_qty + ask_qty, 0)) as microprice_mean,
  null::double precision as ofi_inside,
  count(*) as quote_count
from marketdata.book_ticker
group by symbol_id, date_bin('1 second', ts_exchange, 'epoch');

create view marketdata.trade_1s as
select symbol_id, date_bin('1 second', ts_exchange, 'epoch') as bucket,
  (array_agg(price order by ts_exchange, agg_trade_id))[1] as open,
  max(price) as high, min(price) as low,
  (array_agg(price order by ts_exchange desc, agg_trade_id desc))[1] as close,
  sum(qty) as volume, sum(price * qty) as notional, count(*) as trade_count,
  coalesce(sum(qty) filter (where not is_buyer_maker), 0) as buy_volume,
  coalesce(sum(qty) filter (where is_buyer_maker), 0) as sell_volume,
  count(*) filter (where not is_buyer_maker) as buy_count,
  count(*) filter (where is_buyer_maker) as sell_count,
  sum(price * qty) / nullif(sum(qty), 0) as vwap,
  coalesce(sum(qty) filter (where not is_buyer_maker), 0) / nullif(sum(qty), 0) as buy_ratio
from marketdata.trades
group by symbol_id, date_bin('1 second', ts_exchange, 'epoch');

create view marketdata.depth_event_1s as
select symbol_id, date_bin('1 second', ts_exchange, 'epoch') as bucket,
  count(*) filter (where depth_kind = 'diff') as diff_count,
  count(*) filter (where depth_kind = 'partial') as partial_count,
  count(*) filter (where depth_kind = 'snapshot') as snapshot_count,
  coalesce(sum(array_length(bids, 1)) filter (where depth_kind = 'diff'), 0) as bid_change_count,
  coalesce(sum(array_length(asks, 1)) filter (where depth_kind = 'diff'), 0) as ask_change_count,
  max(final_update_id) as final_update_id
from marketdata.depth_events
group by symbol_id, date_bin('1 second', ts_exchange, 'epoch');

create view marketdata.depth_state_1s as
select symbol_id, date_bin('1 second', ts_exchange, 'epoch') as bucket,
  count(*) as book_count,
  (array_agg(b1_price order by ts_exchange))[1] as book_bid_first,
  (array_agg(b1_price order by ts_exchange desc))[1] as book_bid_last,
  (array_agg(a1_price order by ts_exchange))[1] as book_ask_first,
  (array_agg(a1_price order by ts_exchange desc))[1] as book_ask_last,
  (array_agg(b1_qty order by ts_exchange))[1] as book_bid_qty_first,
  (array_agg(b1_qty order by ts_exchange desc))[1] as book_bid_qty_last,
  (array_agg(a1_qty order by ts_exchange))[1] as book_ask_qty_first,
  (array_agg(a1_qty order by ts_exchange desc))[1] as book_ask_qty_last,
  (array_agg(b1_qty + coalesce(b2_qty, 0) + coalesce(b3_qty, 0) + coalesce(b4_qty, 0)
    + coalesce(b5_qty, 0) + coalesce(b6_qty, 0) + coalesce(b7_qty, 0) + coalesce(b8_qty, 0)
    + coalesce(b9_qty, 0) + coalesce(b10_qty, 0) order by ts_exchange))[1] as book_bid_qty10_first,
  (array_agg(b1_qty + coalesce(b2_qty, 0) + coalesce(b3_qty, 0) + coalesce(b4_qty, 0)
    + coalesce(b5_qty, 0) + coalesce(b6_qty, 0) + coalesce(b7_qty, 0) + coalesce(b8_qty, 0)
    + coalesce(b9_qty, 0) + coalesce(b10_qty, 0) order by ts_exchange desc))[1] as book_bid_qty10_last,
  (array_agg(a1_qty + coalesce(a2_qty, 0) + coalesce(a3_qty, 0) + coalesce(a4_qty, 0)
    + coalesce(a5_qty, 0) + coalesce(a6_qty, 0) + coalesce(a7_qty, 0) + coalesce(a8_qty, 0)
    + coalesce(a9_qty, 0) + coalesce(a10_qty, 0) order by ts_exchange))[1] as book_ask_qty10_first,
  (array_agg(a1_qty + coalesce(a2_qty, 0) + coalesce(a3_qty, 0) + coalesce(a4_qty, 0)
    + coalesce(a5_qty, 0) + coalesce(a6_qty, 0) + coalesce(a7_qty, 0) + coalesce(a8_qty, 0)
    + coalesce(a9_qty, 0) + coalesce(a10_qty, 0) order by ts_exchange desc))[1] as book_ask_qty10_last
from marketdata.orderbook_topn
group by symbol_id, date_bin('1 second', ts_exchange, 'epoch');

create view marketdata.depth_1s as
select symbol_id, bucket,
  coalesce(diff_count, 0) as diff_count, coalesce(partial_count, 0) as partial_count,
  coalesce(snapshot_count, 0) as snapshot_count,
  coalesce(bid_change_count, 0) as bid_change_count,
  coalesce(ask_change_count, 0) as ask_change_count, final_update_id,
  coalesce(book_count, 0) as book_count,
  book_bid_first, book_bid_last, book_ask_first, book_ask_last,
  book_bid_qty_first, book_bid_qty_last, book_ask_qty_first, book_ask_qty_last,
  book_bid_qty10_first, book_bid_qty10_last, book_ask_qty10_first, book_ask_qty10_last,
  null::double precision as book_ofi_inside
from marketdata.depth_event_1s full join marketdata.depth_state_1s using (symbol_id, bucket);

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
  select string_agg(format('select bucket, %s from marketdata.%I where symbol_id = s.id', cells, of_rollup), ' union all ')
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
