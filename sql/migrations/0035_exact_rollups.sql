-- Sums, differences, mids and means of the rollups are the doubles nearest to the exact value of the
-- exchange's decimals. A double's text is its shortest decimal, which is the exchange's; a cast
-- to numeric alone would keep 15 digits of it.
-- Writer: jobs (rollups). Readers: edge-api, jobs.
-- Safe while the previous build runs: yes. Seconds that were made before keep their last digit until
-- they are made again: npx booktape rollups --from .. --to ..

create function marketdata.nearest_quotient(top numeric, bottom numeric)
returns double precision language sql immutable as $$
  select ((top + 0e-120::numeric) / nullif(bottom, 0))::double precision
$$;
comment on function marketdata.nearest_quotient is 'The double nearest to top / bottom, null where bottom is 0: 120 digits behind the point are more than any tie between two doubles needs.';

create or replace function marketdata.bt_1s_of(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz)
returns setof marketdata.bt_1s language sql stable as $$
  with quote as materialized (
    select date_bin('1 second', ts_exchange, timestamptz 'epoch') as bucket, ts_exchange, update_id,
      best_bid::text::numeric as bid, best_ask::text::numeric as ask,
      bid_qty::text::numeric as bid_qty, ask_qty::text::numeric as ask_qty
    from marketdata.book_ticker
    where symbol_id = of_symbol_id and ts_exchange >= from_ts and ts_exchange < to_ts
  ), chained as materialized (
    select bucket, bid, ask, bid_qty, ask_qty, ask + bid as twice_mid, ask - bid as spread,
      (ask * bid_qty + bid * ask_qty + 0e-60::numeric) / nullif(bid_qty + ask_qty, 0) as microprice,
      lag(ask + bid) over w as twice_mid_before,
      lag(bid) over w as bid_before, lag(bid_qty) over w as bid_qty_before,
      lag(ask) over w as ask_before, lag(ask_qty) over w as ask_qty_before,
      lag(update_id) over w is null as is_first, lead(update_id) over w is null as is_last
    from quote
    window w as (partition by bucket order by ts_exchange, update_id)
  )
  select of_symbol_id, bucket,
    max(bid) filter (where is_first), max(bid), min(bid), max(bid) filter (where is_last),
    max(ask) filter (where is_first), max(ask), min(ask), max(ask) filter (where is_last),
    (max(twice_mid) filter (where is_first) * 0.5), (max(twice_mid) * 0.5),
    (min(twice_mid) * 0.5), (max(twice_mid) filter (where is_last) * 0.5),
    marketdata.nearest_quotient(sum(twice_mid), 2 * count(twice_mid)),
    max(bid_qty) filter (where is_first), max(bid_qty) filter (where is_last),
    min(bid_qty), max(bid_qty), marketdata.nearest_quotient(sum(bid_qty), count(bid_qty)),
    max(ask_qty) filter (where is_first), max(ask_qty) filter (where is_last),
    min(ask_qty), max(ask_qty), marketdata.nearest_quotient(sum(ask_qty), count(ask_qty)),
    min(spread), max(spread), marketdata.nearest_quotient(sum(spread), count(spread)),
    max(microprice) filter (where is_last),
    marketdata.nearest_quotient(sum(microprice), count(microprice)),
    coalesce(sum(
      case when bid >= bid_before then bid_qty else 0 end
      - case when bid <= bid_before then bid_qty_before else 0 end
      - case when ask <= ask_before then ask_qty else 0 end
      + case when ask >= ask_before then ask_qty_before else 0 end
    ) filter (where twice_mid is not null and twice_mid_before is not null), 0),
    count(*)
  from chained
  group by bucket
$$;

create or replace function marketdata.trade_1s_of(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz)
returns setof marketdata.trade_1s language sql stable as $$
  with exact as materialized (
    select date_bin('1 second', ts_exchange, timestamptz 'epoch') as bucket, ts_exchange,
      agg_trade_id, price::text::numeric as price, qty::text::numeric as qty, is_buyer_maker
    from marketdata.trades
    where symbol_id = of_symbol_id and ts_exchange >= from_ts and ts_exchange < to_ts
  ), trade as (
    select bucket, price, qty, is_buyer_maker,
      lag(agg_trade_id) over w is null as is_first, lead(agg_trade_id) over w is null as is_last
    from exact
    window w as (partition by bucket order by ts_exchange, agg_trade_id)
  )
  select of_symbol_id, bucket,
    max(price) filter (where is_first), max(price), min(price), max(price) filter (where is_last),
    sum(qty), sum(price * qty), count(*),
    coalesce(sum(qty) filter (where not is_buyer_maker), 0),
    coalesce(sum(qty) filter (where is_buyer_maker), 0),
    count(*) filter (where not is_buyer_maker), count(*) filter (where is_buyer_maker),
    marketdata.nearest_quotient(sum(price * qty), sum(qty)),
    marketdata.nearest_quotient(
      coalesce(sum(qty) filter (where not is_buyer_maker), 0), sum(qty))
  from trade
  group by bucket
$$;

create or replace function marketdata.depth_1s_of(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz)
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
      b1_qty::text::numeric + coalesce(b2_qty::text::numeric, 0) + coalesce(b3_qty::text::numeric, 0) + coalesce(b4_qty::text::numeric, 0) + coalesce(b5_qty::text::numeric, 0)
        + coalesce(b6_qty::text::numeric, 0) + coalesce(b7_qty::text::numeric, 0) + coalesce(b8_qty::text::numeric, 0) + coalesce(b9_qty::text::numeric, 0)
        + coalesce(b10_qty::text::numeric, 0) as bid_qty10,
      a1_qty::text::numeric + coalesce(a2_qty::text::numeric, 0) + coalesce(a3_qty::text::numeric, 0) + coalesce(a4_qty::text::numeric, 0) + coalesce(a5_qty::text::numeric, 0)
        + coalesce(a6_qty::text::numeric, 0) + coalesce(a7_qty::text::numeric, 0) + coalesce(a8_qty::text::numeric, 0) + coalesce(a9_qty::text::numeric, 0)
        + coalesce(a10_qty::text::numeric, 0) as ask_qty10,
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
        case when bid >= bid_before then bid_qty::text::numeric else 0 end
        - case when bid <= bid_before then bid_qty_before::text::numeric else 0 end
        - case when ask <= ask_before then ask_qty::text::numeric else 0 end
        + case when ask >= ask_before then ask_qty_before::text::numeric else 0 end
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
