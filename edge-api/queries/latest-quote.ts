/**
 * The newest quote of one instrument. The time bound is a parameter, so Postgres plans only the
 * partitions behind it: the usual answer touches one or two of them, and only an instrument that
 * has been silent for longer is looked for further back.
 */
import { toIso, micros, HOUR_US, type Micros } from '#core/time.ts'
import type { Database } from '../database.ts'
import type { Row } from '../range/table.ts'

const SQL = `
select ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty
from marketdata.book_ticker
where symbol_id = $1 and ts_exchange >= $2::timestamptz
order by ts_exchange desc, update_id desc
limit 1`

/** How far back to look, step by step; 0 is the beginning of the recording. */
const LOOK_BACK_US = [HOUR_US, 24 * HOUR_US] as const

export async function selectLatestQuote(
  db: Database,
  symbol_id: number,
  now: Micros,
): Promise<Row | undefined> {
  for (const since of [...LOOK_BACK_US.map((span_us) => micros(now - span_us)), micros(0)]) {
    const [row] = await db.query<Row>(SQL, [symbol_id, toIso(since)])
    if (row !== undefined) return row
  }
  return undefined
}
