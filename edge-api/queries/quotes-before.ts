/** For each of some times, the newest quote of an instrument before it: one index probe a time. */
import { toIso, type Micros } from '#core/time.ts'
import type { Row } from '../tables/table.ts'
import type { Database } from './database.ts'

export interface QuotesBeforeArgs {
  readonly symbol_id: number
  /** In order, each once. */
  readonly times: readonly Micros[]
  /** Quotes are read in [from, to). */
  readonly from: Micros
  readonly to: Micros
  readonly max_age_us: number
}

/** `at` is the time. Times without a quote have no row. */
export type QuoteBeforeRow = Row & { readonly at: Micros }

const SQL = `
select t.at, q.ts_exchange, q.update_id, q.best_bid, q.best_ask, q.bid_qty, q.ask_qty
from unnest(string_to_array($2, ',')::timestamptz[]) as t (at)
cross join lateral (
  select ts_exchange, update_id, best_bid, best_ask, bid_qty, ask_qty
  from marketdata.book_ticker b
  where b.symbol_id = $1 and b.ts_exchange >= $3::timestamptz and b.ts_exchange < $4::timestamptz
    and b.ts_exchange < t.at and b.ts_exchange >= t.at - make_interval(secs => $5::float8)
  order by b.ts_exchange desc, b.update_id desc
  limit 1
) q`

export function selectQuotesBefore(
  db: Database,
  { symbol_id, times, from, to, max_age_us }: QuotesBeforeArgs,
): Promise<readonly QuoteBeforeRow[]> {
  const texts = times.map(toIso).join(',')
  return db.query(SQL, [symbol_id, texts, toIso(from), toIso(to), max_age_us / 1e6])
}
