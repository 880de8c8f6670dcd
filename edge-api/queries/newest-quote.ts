/**
 * Time of the newest quote of any instrument, including quotes in hours that were dropped from the
 * database. Takes one index probe per instrument: the primary key begins with the instrument, so
 * max(ts_exchange) alone would read whole partitions.
 */
import { HOUR_US, micros, toIso, type Micros } from '#core/time.ts'
import type { Database } from './database.ts'

const SQL = `
select greatest(
  (select max(q.ts_exchange)
   from marketdata.symbols s
   cross join lateral (
     select b.ts_exchange
     from marketdata.book_ticker b
     where b.symbol_id = s.id and b.ts_exchange >= $1::timestamptz
       and b.ts_exchange < $2::timestamptz
     order by b.ts_exchange desc
     limit 1
   ) q),
  (select max(a.max_ts_exchange)
   from (select distinct exchange from marketdata.symbols) e
   join marketdata.archive a on a.exchange = e.exchange and a.table_name = 'book_ticker'
   where a.hour > $1::timestamptz - interval '1 hour' and a.hour < $2::timestamptz
     and a.max_ts_exchange >= $1::timestamptz)
) as ts_exchange`

/** 25 hours. Bounded, because the query locks every partition that it may read. */
const SPAN_US = 25 * HOUR_US

/** Null if there is none in the 25 hours after `since`. */
export async function selectNewestQuoteTime(db: Database, since: Micros): Promise<Micros | null> {
  const rows = await db.query<{ readonly ts_exchange: Micros | null }>(SQL, [
    toIso(since),
    toIso(micros(since + SPAN_US)),
  ])
  return rows[0]?.ts_exchange ?? null
}
