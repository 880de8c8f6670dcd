/**
 * Quotes of one instrument in [from, to), in the order of their identity. The bounds are
 * parameters on the partition key; the cursor's row is the last one the caller has.
 */
import { toIso, type Micros } from '#core/time.ts'
import type { Cursor } from '../cursor.ts'
import type { Database } from '../database.ts'

export interface QuoteRow {
  readonly ts_exchange: Micros
  readonly ts_ingest: Micros
  readonly update_id: number
  readonly best_bid: number
  readonly best_ask: number
  readonly bid_qty: number
  readonly ask_qty: number
  readonly spread: number
  readonly mid: number
}

export const QUOTE_COLUMNS =
  'ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty, spread, mid'

export interface RangeArgs {
  readonly symbol_id: number
  readonly from: Micros
  readonly to: Micros
  readonly after: Cursor | null
  readonly limit: number
}

const SQL = `
select ${QUOTE_COLUMNS}
from marketdata.book_ticker
where symbol_id = $1 and ts_exchange >= $2::timestamptz and ts_exchange < $3::timestamptz
  and ($4::timestamptz is null or (ts_exchange, update_id) > ($4::timestamptz, $5::bigint))
order by ts_exchange, update_id
limit $6::int`

export function selectQuotes(db: Database, args: RangeArgs): Promise<readonly QuoteRow[]> {
  return db.query(SQL, rangeParameters(args))
}

/** $1 to $6 of every range query. */
export function rangeParameters(args: RangeArgs): readonly (string | number | null)[] {
  const { after } = args
  const after_ts = after === null ? null : toIso(after.ts)
  // Partitions are chosen by $2 alone: a page begins where the one before it ended.
  const from = after === null || after.ts < args.from ? args.from : after.ts
  return [args.symbol_id, toIso(from), toIso(args.to), after_ts, after?.id ?? null, args.limit]
}
