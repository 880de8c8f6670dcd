-- Two sessions that wanted the same new hour at the same moment: the second one, having waited
-- for the lock, still read "there is no such table" from its catalog cache, which taking an
-- advisory lock does not refresh, and failed with "already exists". A query of pg_class does
-- not go through that cache.
-- Safe while the previous build runs: yes (same name, same arguments).

create or replace function marketdata.ensure_hour(table_name text, hour timestamptz) returns void
language plpgsql as $$
declare
  from_ts timestamptz := date_bin('1 hour', hour, 'epoch');
  part text := table_name || to_char(from_ts at time zone 'UTC', '"_"YYYYMMDDHH24');
begin
  if table_name not in ('book_ticker', 'trades') then
    raise exception 'ensure_hour: % is not a raw table', table_name;
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
