-- A look for one row over many partitions, with the locks of eight of them.
-- Writer: nobody. Readers: edge-api.
-- A statement that may read a partition locks it and its indexes until its transaction ends: 720
-- hours are some 2,000 locks, and Postgres has room for 64 a connection by default.
-- Safe while the previous build runs: yes (new function).

create function marketdata.nearest_ts(of_table text, of_symbol_id bigint, from_ts timestamptz,
  to_ts timestamptz, is_newest boolean, of_kind text default null)
returns timestamptz language plpgsql stable as $$
declare
  hours timestamptz[];
  eight timestamptz[];
  found_ts timestamptz;
  statement text := format(
    'select ts_exchange from marketdata.%I where symbol_id = $1 and ts_exchange >= $2
       and ts_exchange < $3%s order by ts_exchange %s limit 1',
    of_table,
    case when of_kind is null then '' else format(' and depth_kind = %L', of_kind) end,
    case when is_newest then 'desc' else 'asc' end);
begin
  select array_agg(h.hour order by case when is_newest then h.hour end desc, h.hour) into hours
  from (
    select to_timestamp(right(c.relname, 10) || '+00', 'YYYYMMDDHH24TZH') as hour
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    where i.inhparent = format('marketdata.%I', of_table)::regclass
  ) h
  where h.hour > from_ts - interval '1 hour' and h.hour < to_ts;
  for i in 1..coalesce(array_length(hours, 1), 0) by 8 loop
    eight := hours[i:i + 7];
    -- What is rolled back gives its locks back; the variable keeps its value.
    begin
      execute statement into found_ts using of_symbol_id,
        greatest(from_ts, least(eight[1], eight[array_length(eight, 1)])),
        least(to_ts, greatest(eight[1], eight[array_length(eight, 1)]) + interval '1 hour');
      raise exception using errcode = 'BT000';
    exception when sqlstate 'BT000' then
      if found_ts is not null then
        return found_ts;
      end if;
    end;
  end loop;
  return null;
end $$;
comment on function marketdata.nearest_ts is 'Time of the first or the newest row of one symbol in [from_ts, to_ts) of a table with one partition an hour; null where there is none. It looks at eight partitions after the other and locks no more than these at a time.';
