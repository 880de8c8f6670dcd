-- A side of the book that is empty is null in quotes, and in what follows from them.
-- Writer: ingestor (quotes), jobs (rollups). Readers: jobs, edge-api.
-- Safe while the previous build runs: yes. It writes quotes with two sides alone; a previous reader
-- meets nulls only once the new ingestor has written some.

do $$
declare
  c record;
begin
  -- The parent first. Partitions that were made beside it and then attached have a constraint of
  -- their own, which stays.
  for c in
    select i.level, i.relid::regclass as relation, a.attname
    from unnest(array['book_ticker', 'bt_1s']) as t (name)
    cross join pg_partition_tree(format('marketdata.%I', t.name)::regclass) as i
    join pg_attribute a on a.attrelid = i.relid and a.attnotnull
    where a.attname in ('best_bid', 'best_ask') or a.attname ~ '^(bid|ask)_qty'
    order by i.level
  loop
    execute format('alter table %s alter column %I drop not null', c.relation, c.attname);
  end loop;
end $$;

comment on table marketdata.book_ticker is 'Best bid and offer after every change, one partition an hour. Price and quantity of a side that is empty are null.';
comment on column marketdata.book_ticker.best_bid is 'best bid price; null where the side is empty [quote asset]';
comment on column marketdata.book_ticker.best_ask is 'best ask price; null where the side is empty [quote asset]';
comment on column marketdata.book_ticker.bid_qty is 'quantity at the best bid; null where the side is empty [base asset]';
comment on column marketdata.book_ticker.ask_qty is 'quantity at the best ask; null where the side is empty [base asset]';
comment on column marketdata.book_ticker.spread is 'best_ask - best_bid; null where a side is empty [quote asset]';
comment on column marketdata.book_ticker.mid is '(best_ask + best_bid) / 2; null where a side is empty [quote asset]';

comment on table marketdata.bt_1s is 'Quotes by the second, one partition a day; no row for a second without a quote. What a quote has no value of (a side that is empty, a mid without two sides) is left out; a column is null where no quote of the second has one, and an open or close where the first or last has none. The newest seconds are in market_data_1s only.';
comment on column marketdata.bt_1s.microprice_close is 'mid weighted by the opposite quantities, (ask bid_qty + bid ask_qty) / (bid_qty + ask_qty), of the last quote; null where a side is empty [quote asset]';

create or replace function marketdata.bt_1s_of(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz)
returns setof marketdata.bt_1s language sql stable as $$
  with quote as (
    select date_bin('1 second', ts_exchange, timestamptz 'epoch') as bucket, ts_exchange, update_id,
      best_bid as bid, best_ask as ask, bid_qty, ask_qty,
      (best_ask + best_bid) / 2 as mid, best_ask - best_bid as spread,
      (best_ask * bid_qty + best_bid * ask_qty) / nullif(bid_qty + ask_qty, 0) as microprice
    from marketdata.book_ticker
    where symbol_id = of_symbol_id and ts_exchange >= from_ts and ts_exchange < to_ts
  ), chained as (
    select bucket, bid, ask, bid_qty, ask_qty, mid, spread, microprice,
      lag(mid) over w as mid_before,
      lag(bid) over w as bid_before, lag(bid_qty) over w as bid_qty_before,
      lag(ask) over w as ask_before, lag(ask_qty) over w as ask_qty_before,
      lag(update_id) over w is null as is_first, lead(update_id) over w is null as is_last
    from quote
    window w as (partition by bucket order by ts_exchange, update_id)
  )
  select of_symbol_id, bucket,
    max(bid) filter (where is_first), max(bid), min(bid), max(bid) filter (where is_last),
    max(ask) filter (where is_first), max(ask), min(ask), max(ask) filter (where is_last),
    max(mid) filter (where is_first), max(mid), min(mid), max(mid) filter (where is_last),
    sum(mid) / nullif(count(mid), 0),
    max(bid_qty) filter (where is_first), max(bid_qty) filter (where is_last),
    min(bid_qty), max(bid_qty), sum(bid_qty) / nullif(count(bid_qty), 0),
    max(ask_qty) filter (where is_first), max(ask_qty) filter (where is_last),
    min(ask_qty), max(ask_qty), sum(ask_qty) / nullif(count(ask_qty), 0),
    min(spread), max(spread), sum(spread) / nullif(count(spread), 0),
    max(microprice) filter (where is_last), sum(microprice) / nullif(count(microprice), 0),
    coalesce(sum(
      case when bid >= bid_before then bid_qty else 0 end
      - case when bid <= bid_before then bid_qty_before else 0 end
      - case when ask <= ask_before then ask_qty else 0 end
      + case when ask >= ask_before then ask_qty_before else 0 end
    ) filter (where mid is not null and mid_before is not null), 0),
    count(*)
  from chained
  group by bucket
$$;

-- Each column of the view means what it means in its table.
do $$
declare
  c record;
begin
  for c in
    select a.attname, col_description(a.attrelid, a.attnum) as meaning
    from pg_attribute a
    where a.attrelid = 'marketdata.bt_1s'::regclass and a.attname = 'microprice_close'
  loop
    execute format('comment on column marketdata.market_data_1s.%I is %L', c.attname, c.meaning);
  end loop;
end $$;
