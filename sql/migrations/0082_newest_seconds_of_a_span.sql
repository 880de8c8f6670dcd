-- The newest seconds of a part of time: a read of many hours asks for those of each, and what lies
-- below the watermark needs none.
-- Writer: nobody. Readers: edge-api.
-- Safe while the previous build runs: yes (new functions; the others answer as before).

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
      create function marketdata.%1$I_tail(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz)
      returns setof marketdata.%1$I language plpgsql stable as $function$
      declare
        begin_ts timestamptz := greatest(date_trunc('second', from_ts),
          (select watermark from marketdata.rollup_watermarks where rollup = %1$L));
        -- A second that is begun belongs to it whole.
        end_ts timestamptz := date_trunc('second', to_ts) + interval '1 second';
        froms timestamptz[] := array[begin_ts];
        tos timestamptz[] := array[end_ts];
      begin
        if begin_ts >= to_ts then
          return;
        end if;
        -- A few hours need no look at what partitions there are.
        if begin_ts < now() - interval '1 hour' and end_ts - begin_ts > interval '4 hours' then
          begin
            select array_agg(s.span_from), array_agg(s.span_to) into froms, tos
            from marketdata.hour_spans(%2$L, begin_ts, end_ts, 4) s;
            raise exception using errcode = 'BT000';
          exception when sqlstate 'BT000' then null;
          end;
        end if;
        for i in 1..coalesce(array_length(froms, 1), 0) loop
          begin
            return query execute 'select * from marketdata.%1$I_of($1, $2, $3)'
              using of_symbol_id, froms[i], tos[i];
            -- What is rolled back gives its locks back; the rows stay.
            raise exception using errcode = 'BT000';
          exception when sqlstate 'BT000' then null;
          end;
        end loop;
      end $function$
      $body$, t.rollup, t.sources);
    execute format($body$
      create or replace function marketdata.%1$I_tail(of_symbol_id bigint)
      returns setof marketdata.%1$I language sql stable as $function$
        select * from marketdata.%1$I_tail(of_symbol_id, '-infinity', 'infinity')
      $function$
      $body$, t.rollup);
    execute format('comment on function marketdata.%1$I_tail(bigint, timestamptz, timestamptz) is %2$L',
      t.rollup, 'Seconds of one symbol in [from_ts, to_ts) that ' || t.rollup || ' has not got yet.');
  end loop;
end $$;

-- The view market_data_1s of one symbol and span, column for column.
do $$
declare
  columns text;
  names text;
  branches text;
begin
  create temp table part on commit drop as
  select c.relname::text as rollup, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
    array_position('{bt_1s,trade_1s,depth_1s}', c.relname::text) * 1000 + a.attnum as position
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'marketdata'::regnamespace
    and c.relname in ('bt_1s', 'trade_1s', 'depth_1s') and a.attname not in ('symbol_id', 'bucket');
  select string_agg(format('%I %s', name, type), ', ' order by position),
    string_agg(format('max(u.%1$I)', name), ', ' order by position)
  into columns, names from part;
  select string_agg(format('select bucket, %1$s from marketdata.%2$I where symbol_id = of_symbol_id
      and bucket >= from_ts and bucket < to_ts
      and bucket < (select watermark from marketdata.rollup_watermarks where rollup = %2$L)
    union all select bucket, %1$s from marketdata.%2$I_tail(of_symbol_id, from_ts, to_ts)
    where bucket >= from_ts and bucket < to_ts', cells, of_rollup), ' union all ')
  into branches
  from (
    select r.of_rollup, string_agg(
      case when rollup = r.of_rollup then quote_ident(name) else format('null::%s as %I', type, name) end,
      ', ' order by position) as cells
    from unnest(array['bt_1s', 'trade_1s', 'depth_1s']) as r (of_rollup) cross join part
    group by r.of_rollup
  ) b;
  execute format('create function marketdata.market_data_1s_of(of_symbol_id bigint,
      from_ts timestamptz, to_ts timestamptz)
    returns table (symbol_id bigint, bucket timestamptz, %s) language sql stable as $function$
      select of_symbol_id, u.bucket, %s from (%s) u group by u.bucket
    $function$', columns, names, branches);
end $$;
comment on function marketdata.market_data_1s_of is 'market_data_1s of one symbol in [from_ts, to_ts). With bounds that the planner knows it locks the partitions between them alone.';

create or replace function marketdata.range_rows(of_table text, columns text[], identity text[], of_symbol_id bigint,
  from_ts timestamptz, to_ts timestamptz, row_limit int)
returns setof record language plpgsql stable as $$
declare
  -- Of three rollups and what their newest seconds are made from.
  is_view boolean := of_table = 'market_data_1s';
  made_to timestamptz := (select min(watermark) from marketdata.rollup_watermarks);
  froms timestamptz[];
  tos timestamptz[];
  statement text;
  left_count bigint := row_limit;
  found_count bigint;
begin
  begin
    -- Below the watermark a span of the view reads three rollups, and behind it raw rows as well.
    select array_agg(s.span_from order by s.span_from), array_agg(s.span_to order by s.span_from)
    into froms, tos
    from (
      select * from marketdata.hour_spans(array[of_table], from_ts, to_ts, 8) where not is_view
      union all
      select * from marketdata.hour_spans('{bt_1s,trade_1s,depth_1s}', from_ts, least(to_ts, made_to), 6)
      where is_view
      union all
      select * from marketdata.hour_spans('{book_ticker,trades,depth_events,orderbook_topn}',
        greatest(from_ts, made_to), to_ts, 2)
      where is_view
    ) s;
    -- Long values are stored apart: array_cat reads them while their partition is locked.
    select format('select %s from marketdata.%s where symbol_id = $1 and %I >= $2 and %I < $3
        order by %s limit $4',
      string_agg(case when format_type(a.atttypid, a.atttypmod) = 'double precision[]'
        then format('array_cat(%I, ''{}'')', c.name) else quote_ident(c.name) end, ', ' order by c.place),
      case when is_view then 'market_data_1s_of($1, $2, $3)' else quote_ident(of_table) end,
      identity[1], identity[1],
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
create or replace function marketdata.candles(of_symbol_id bigint, interval_s double precision,
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
          'union all select %s from marketdata.trade_1s_tail($1, $2, $3) where bucket >= $2 and bucket < $3',
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
