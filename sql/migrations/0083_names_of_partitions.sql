-- Which partitions there are is asked for first and their names are read afterwards: with statistics
-- of many relations Postgres read the names of all of them, and failed at one that holds no time.
-- Writer: nobody. Readers: edge-api, jobs, ingestor.
-- Safe while the previous build runs: yes (same names, same answers).

create or replace function marketdata.hour_spans(tables text[], from_ts timestamptz, to_ts timestamptz, hour_count int)
returns table (span_from timestamptz, span_to timestamptz) language sql stable as $$
  with part as materialized (
    select substring(c.relname from '_([0-9]{8}|[0-9]{10})$') as digits
    from unnest(tables) as t (table_name)
    join pg_inherits i on i.inhparent = ('marketdata.' || t.table_name)::regclass
    join pg_class c on c.oid = i.inhrelid
  ), hours as (
    select to_timestamp(rpad(digits, 10, '0') || '+00', 'YYYYMMDDHH24TZH') + h * interval '1 hour' as hour
    from part cross join lateral generate_series(0, case length(digits) when 8 then 23 else 0 end) as h
  )
  select greatest(from_ts, min(hour)), least(to_ts, max(hour) + interval '1 hour')
  from hours
  where hour > from_ts - interval '1 hour' and hour < to_ts
  group by floor(extract(epoch from hour) / (3600 * hour_count))
  order by 1
$$;

create or replace function marketdata.nearest_ts(of_table text, of_symbol_id bigint, from_ts timestamptz,
  to_ts timestamptz, is_newest boolean, of_kind text default null)
returns timestamptz language plpgsql stable as $$
declare
  span record;
  found_ts timestamptz;
  statement text := format(
    'select ts_exchange from marketdata.%I where symbol_id = $1 and ts_exchange >= $2
       and ts_exchange < $3%s order by ts_exchange %s limit 1',
    of_table,
    case when of_kind is null then '' else format(' and depth_kind = %L', of_kind) end,
    case when is_newest then 'desc' else 'asc' end);
begin
  for span in
    select * from marketdata.hour_spans(array[of_table], from_ts, to_ts, 8) s
    order by case when is_newest then s.span_from end desc, s.span_from
  loop
    -- What is rolled back gives its locks back; the variable keeps its value.
    begin
      execute statement into found_ts using of_symbol_id, span.span_from, span.span_to;
      raise exception using errcode = 'BT000';
    exception when sqlstate 'BT000' then
      if found_ts is not null then
        return found_ts;
      end if;
    end;
  end loop;
  return null;
end $$;
