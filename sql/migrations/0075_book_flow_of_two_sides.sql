-- The order flow of books with an empty side, and of the first one after it, is 0, as in bt_1s: what
-- the other side did alone is no flow at the best level of a book.
-- Writer: jobs (rollups). Readers: edge-api, jobs.
-- Safe while the previous build runs: yes. Seconds that were made before keep their value until
-- they are made again: npx booktape rollups --from .. --to ..

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
      ) filter (where bid is not null and ask is not null
        and bid_before is not null and ask_before is not null), 0) as ofi_inside
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
comment on column marketdata.depth_1s.book_ofi_inside is 'order flow imbalance at the best level from row to row of orderbook_topn within the second, 0 for its first and after one with an empty side. Changes between two rows (100 ms) are netted: bt_1s.ofi_inside has every quote [base asset]';
