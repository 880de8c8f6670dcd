-- Statements that read many partitions, some of them at a time. A statement locks every partition
-- that it may read, and their indexes, until its transaction ends; Postgres has room for 64 locks a
-- connection. What is rolled back to a savepoint gives its locks back, and the rows that a function
-- has returned stay.
-- Writer: nobody. Readers: edge-api, jobs, ingestor.
-- Safe while the previous build runs: yes (new functions; the tails answer as before).

create function marketdata.hour_spans(tables text[], from_ts timestamptz, to_ts timestamptz, hour_count int)
returns table (span_from timestamptz, span_to timestamptz) language sql stable as $$
  select greatest(from_ts, min(p.hour)), least(to_ts, max(p.hour) + interval '1 hour')
  from unnest(tables) as t (table_name)
  join pg_inherits i on i.inhparent = ('marketdata.' || t.table_name)::regclass
  join pg_class c on c.oid = i.inhrelid
  cross join lateral (select substring(c.relname from '_([0-9]{8}|[0-9]{10})$') as digits) n
  cross join lateral (
    select to_timestamp(rpad(n.digits, 10, '0') || '+00', 'YYYYMMDDHH24TZH') + h * interval '1 hour' as hour
    from generate_series(0, case length(n.digits) when 8 then 23 else 0 end) as h
  ) p
  where p.hour > from_ts - interval '1 hour' and p.hour < to_ts
  group by floor(extract(epoch from p.hour) / (3600 * hour_count))
  order by 1
$$;
comment on function marketdata.hour_spans is 'Parts of [from_ts, to_ts) in which one of the tables has a partition, oldest first: each within hour_count hours that are counted from 1970 on.';

-- The three tails: seconds that a rollup has not got yet. Usually those of the last minute; where
-- nobody has refreshed it for long, a few hours at a time.
do $$
declare
  t record;
begin
  for t in
    select * from (values
      ('bt_1s', '{book_ticker}'), ('trade_1s', '{trades}'), ('depth_1s', '{depth_events,orderbook_topn}')
    ) as made (rollup, sources)
  loop
    execute format($body$
      create or replace function marketdata.%1$I_tail(of_symbol_id bigint)
      returns setof marketdata.%1$I language plpgsql stable as $function$
      declare
        begin_ts timestamptz := (select watermark from marketdata.rollup_watermarks where rollup = %1$L);
        froms timestamptz[] := array[begin_ts];
        tos timestamptz[] := array['infinity'::timestamptz];
      begin
        if begin_ts < now() - interval '1 hour' then
          begin
            select array_agg(s.span_from), array_agg(s.span_to) into froms, tos
            from marketdata.hour_spans(%2$L, begin_ts, 'infinity', 4) s;
            raise exception using errcode = 'BT000';
          exception when sqlstate 'BT000' then null;
          end;
        end if;
        for i in 1..coalesce(array_length(froms, 1), 0) loop
          begin
            return query execute 'select * from marketdata.%1$I_of($1, $2, $3)'
              using of_symbol_id, froms[i], tos[i];
            raise exception using errcode = 'BT000';
          exception when sqlstate 'BT000' then null;
          end;
        end loop;
      end $function$
      $body$, t.rollup, t.sources);
  end loop;
end $$;

create function marketdata.range_rows(of_table text, columns text[], identity text[], of_symbol_id bigint,
  from_ts timestamptz, to_ts timestamptz, row_limit int)
returns setof record language plpgsql stable as $$
declare
  -- Of three rollups and what their newest seconds are made from.
  is_view boolean := of_table = 'market_data_1s';
  froms timestamptz[];
  tos timestamptz[];
  statement text;
  left_count bigint := row_limit;
  found_count bigint;
begin
  begin
    select array_agg(s.span_from), array_agg(s.span_to) into froms, tos
    from marketdata.hour_spans(
      case when is_view
        then '{bt_1s,trade_1s,depth_1s,book_ticker,trades,depth_events,orderbook_topn}'
        else array[of_table] end,
      from_ts, to_ts, case when is_view then 2 else 8 end) s;
    -- Long values are stored apart: array_cat reads them while their partition is locked.
    select format('select %s from marketdata.%I where symbol_id = $1 and %I >= $2 and %I < $3
        order by %s limit $4',
      string_agg(case when format_type(a.atttypid, a.atttypmod) = 'double precision[]'
        then format('array_cat(%I, ''{}'')', c.name) else quote_ident(c.name) end, ', ' order by c.place),
      of_table, identity[1], identity[1],
      (select string_agg(quote_ident(i.name), ', ' order by i.place)
        from unnest(identity) with ordinality as i (name, place)))
    into statement
    from unnest(columns) with ordinality as c (name, place)
    join pg_attribute a on a.attrelid = format('marketdata.%I', of_table)::regclass
      and a.attname = c.name;
    raise exception using errcode = 'BT000';
  exception when sqlstate 'BT000' then null;
  end;
  for i in 1..coalesce(array_length(froms, 1), 0) loop
    begin
      return query execute statement using of_symbol_id, froms[i], tos[i], left_count;
      get diagnostics found_count = row_count;
      raise exception using errcode = 'BT000';
    exception when sqlstate 'BT000' then
      left_count := left_count - found_count;
      exit when left_count <= 0;
    end;
  end loop;
end $$;
comment on function marketdata.range_rows is 'The first row_limit rows of one symbol in [from_ts, to_ts), in the order of identity. It reads eight hours after the other and locks no more than these at a time.';

-- What changes here changes in edge-api/range/fold-seconds.ts.
create function marketdata.candles(of_symbol_id bigint, interval_s double precision,
  from_ts timestamptz, to_ts timestamptz, row_limit int)
returns table (ts timestamptz, open double precision, high double precision, low double precision,
  close double precision, volume double precision, notional double precision, trade_count bigint,
  buy_volume double precision, sell_volume double precision, vwap double precision)
language plpgsql stable as $$
declare
  made_to timestamptz := (select watermark from marketdata.rollup_watermarks where rollup = 'trade_1s');
  -- Whole candles of about eight hours.
  step interval := make_interval(secs => interval_s * greatest(1, floor(28800 / interval_s)));
  begin_ts timestamptz := from_ts;
  end_ts timestamptz;
  left_count bigint := row_limit;
  found_count bigint;
  columns text := 'bucket, open, high, low, close, volume, notional, trade_count, buy_volume, sell_volume';
begin
  while begin_ts < to_ts and left_count > 0 loop
    end_ts := least(to_ts, begin_ts + step);
    begin
      return query execute format($query$
        with seconds as (
          select %1$s from marketdata.trade_1s
          where symbol_id = $1 and bucket >= $2 and bucket < $4
          %2$s
        )
        select date_bin(make_interval(secs => $5), bucket, timestamptz 'epoch'),
          (array_agg(open order by bucket))[1], max(high), min(low),
          (array_agg(close order by bucket desc))[1],
          sum(volume::text::numeric)::double precision,
          sum(notional::text::numeric)::double precision,
          sum(trade_count)::bigint,
          sum(buy_volume::text::numeric)::double precision,
          sum(sell_volume::text::numeric)::double precision,
          -- With enough digits for the nearest double: docs/decisions/0014.
          ((sum(notional::text::numeric) + 0e-120::numeric)
            / nullif(sum(volume::text::numeric), 0))::double precision
        from seconds group by 1 order by 1 limit $6$query$,
        columns,
        case when made_to >= end_ts then '' else format(
          'union all select %s from marketdata.trade_1s_tail($1) where bucket >= $2 and bucket < $3',
          columns) end)
        using of_symbol_id, begin_ts, end_ts, least(end_ts, made_to), interval_s, left_count;
      get diagnostics found_count = row_count;
      raise exception using errcode = 'BT000';
    exception when sqlstate 'BT000' then
      left_count := left_count - found_count;
      begin_ts := end_ts;
    end;
  end loop;
end $$;
comment on function marketdata.candles is 'Candles of one symbol in [from_ts, to_ts), both on the grid of the interval: whole seconds of trade_1s up to its watermark, the newest ones from trades. It reads eight hours, or one candle, after the other.';
