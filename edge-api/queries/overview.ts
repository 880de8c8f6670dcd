/**
 * What is recorded: the instruments of each exchange, and the first hour with data. The hours in
 * the database are those of its partitions, whose names end with the hour.
 */
import type { Micros } from '#core/time.ts'
import type { Database } from './database.ts'

export interface OverviewRow {
  readonly exchange: string
  readonly symbol_count: number
  readonly active_count: number
  /** Of all exchanges; null if nothing was recorded. */
  readonly first_hour: Micros | null
}

const SQL = `
select s.exchange, s.symbol_count, s.active_count, f.first_hour
from (
  select exchange, count(*) as symbol_count, count(*) filter (where is_active) as active_count
  from marketdata.symbols
  group by exchange
) s
cross join (
  select least(
    (select min(hour) from marketdata.archive),
    (select min(to_timestamp(right(c.relname, 10) || '+00', 'YYYYMMDDHH24TZH'))
     from pg_catalog.pg_inherits i
     join pg_catalog.pg_class c on c.oid = i.inhrelid
     where i.inhparent in ('marketdata.book_ticker'::regclass, 'marketdata.trades'::regclass)
       and c.relname ~ '_[0-9]{10}$')
  ) as first_hour
) f
order by s.exchange collate "C"`

export function selectOverview(db: Database): Promise<readonly OverviewRow[]> {
  return db.query(SQL, [])
}
