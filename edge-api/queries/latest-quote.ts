/**
 * The newest quote of one instrument. The time bounds are parameters, so Postgres plans only the
 * partitions between them, usually one or two. If the instrument has had no quote for an hour,
 * nearest_ts first searches for the time of its newest quote, one partition after another.
 */
import { toIso, micros, HOUR_US, SECOND_US, type Micros } from '#core/time.ts'
import type { Row } from '../tables/table.ts'
import type { Database } from './database.ts'

const SQL = `
select ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty
from marketdata.book_ticker
where symbol_id = $1 and ts_exchange >= $2::timestamptz and ts_exchange < $3::timestamptz
order by ts_exchange desc, update_id desc
limit 1`

const NEWEST = `
select marketdata.nearest_ts('book_ticker', $1, $2::timestamptz, 'infinity', true) as ts_exchange`

const EVER = micros(0)
/**
 * An exchange's clock may be ahead of the recorder's by five minutes (core/time-source.ts), and the
 * recorder's ahead of ours. More would cost the plan of another partition all the time.
 */
const AHEAD_US = 10 * 60 * SECOND_US

/** Undefined if there is none since `from`. */
export async function selectLatestQuote(
  db: Database,
  symbol_id: number,
  now: Micros,
  from: Micros = EVER,
): Promise<Row | undefined> {
  const recent = await selectRecentQuote(db, symbol_id, now, from)
  if (recent !== undefined) return recent
  const [newest] = await db.query<{ readonly ts_exchange: Micros | null }>(NEWEST, [
    symbol_id,
    toIso(from),
  ])
  const ts = newest?.ts_exchange ?? null
  return ts === null ? undefined : newestIn(db, symbol_id, ts, micros(ts + 1))
}

/** The newest of the last hour; one statement, whatever it finds. */
export async function selectRecentQuote(
  db: Database,
  symbol_id: number,
  now: Micros,
  from: Micros,
): Promise<Row | undefined> {
  const end = micros(now + AHEAD_US)
  return newestIn(db, symbol_id, micros(Math.max(from, now - HOUR_US)), end)
}

async function newestIn(
  db: Database,
  symbol_id: number,
  start: Micros,
  end: Micros,
): Promise<Row | undefined> {
  const [row] = await db.query<Row>(SQL, [symbol_id, toIso(start), toIso(end)])
  return row
}
