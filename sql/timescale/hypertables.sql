-- Turns the empty source tables of the rollups into hypertables with chunks of an hour. By hand,
-- before the first ingestor starts: psql -v ON_ERROR_STOP=1 -1 -f hypertables.sql
-- Not run on a Timescale: see README.md.

do $$
declare
  t text;
  has_rows boolean;
begin
  foreach t in array array['book_ticker', 'trades', 'depth_events', 'orderbook_topn'] loop
    execute format('select exists (select from marketdata.%I)', t) into has_rows;
    if has_rows then
      raise exception '% has rows: hypertables are made of empty tables', t;
    end if;
    execute format('create table marketdata.%I (like marketdata.%I including all)', t || '_new', t);
    execute format('comment on table marketdata.%I is %L', t || '_new', obj_description(format('marketdata.%I', t)::regclass));
    execute format('drop table marketdata.%I', t);
    execute format('alter table marketdata.%I rename to %I', t || '_new', t);
    execute format('grant select on marketdata.%I to booktape_reader', t);
    perform create_hypertable(format('marketdata.%I', t)::regclass, by_range('ts_exchange', interval '1 hour'));
  end loop;
end $$;

-- Timescale makes its chunks itself; the tables that stayed as they were keep their partitions.
alter function marketdata.ensure_hour(text, timestamptz) rename to ensure_partition;
create function marketdata.ensure_hour(table_name text, hour timestamptz) returns void
language plpgsql as $$
begin
  if table_name not in ('book_ticker', 'trades', 'depth_events', 'orderbook_topn') then
    perform marketdata.ensure_partition(table_name, hour);
  end if;
end $$;
comment on function marketdata.ensure_hour is 'Creates the partition of a table that is no hypertable.';
