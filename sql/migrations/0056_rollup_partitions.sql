-- A rollup's partition holds a UTC day, or an hour where the server's setting
-- booktape.rollup_partition is hour: a small installation then lets go of rollups by the hour.
-- A day keeps the span that it began with.
-- Writer: jobs (rollups).
-- Safe while the previous build runs: yes.

create or replace function marketdata.ensure_day(table_name text, day timestamptz) returns void
language plpgsql as $$
declare
  from_day timestamptz := date_bin('1 day', day, 'epoch');
  of_day text := table_name || to_char(from_day at time zone 'UTC', '"_"YYYYMMDD');
  from_hour timestamptz := date_bin('1 hour', day, 'epoch');
  of_hour text := table_name || to_char(from_hour at time zone 'UTC', '"_"YYYYMMDDHH24');
  by_the_hour boolean := coalesce(current_setting('booktape.rollup_partition', true), '') = 'hour';
begin
  if table_name not in ('bt_1s', 'trade_1s', 'depth_1s') then
    raise exception 'ensure_day: % is not partitioned by the day', table_name;
  end if;
  if to_regclass(format('marketdata.%I', of_day)) is not null
    or to_regclass(format('marketdata.%I', of_hour)) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('marketdata.ensure_day'), hashtext(of_day));
  if exists (
    select from pg_class
    where relname in (of_day, of_hour) and relnamespace = 'marketdata'::regnamespace
  ) then
    return;
  end if;
  if by_the_hour or exists (
    select from pg_class
    where relname like replace(of_day, '_', '\_') || '__' and relnamespace = 'marketdata'::regnamespace
  ) then
    execute format('create table marketdata.%I (like marketdata.%I including all)', of_hour, table_name);
    execute format('alter table marketdata.%I attach partition marketdata.%I for values from (%L) to (%L)',
      table_name, of_hour, from_hour, from_hour + interval '1 hour');
  else
    execute format('create table marketdata.%I (like marketdata.%I including all)', of_day, table_name);
    execute format('alter table marketdata.%I attach partition marketdata.%I for values from (%L) to (%L)',
      table_name, of_day, from_day, from_day + interval '1 day');
  end if;
end $$;
comment on function marketdata.ensure_day is 'Creates the partition of one rollup that holds the given time: the UTC day''s, or the hour''s where booktape.rollup_partition is hour.';
