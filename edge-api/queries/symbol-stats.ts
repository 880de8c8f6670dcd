/** The newest quote and trade of every instrument, with one index probe for each. */
import { HOUR_US, micros, toIso, type Micros } from '#core/time.ts'
import type { Database } from './database.ts'

export interface SymbolStatsRow {
  readonly exchange: string
  readonly symbol: string
  readonly is_active: boolean
  readonly tick_size: number | null
  /** Null if there is none in the range. */
  readonly quote_ts: Micros | null
  readonly best_bid: number | null
  readonly best_ask: number | null
  readonly trade_ts: Micros | null
  readonly price: number | null
}

const SQL = `
select s.exchange, s.symbol, s.is_active, s.tick_size,
  q.ts_exchange as quote_ts, q.best_bid, q.best_ask, t.ts_exchange as trade_ts, t.price
from marketdata.symbols s
left join lateral (
  select ts_exchange, best_bid, best_ask
  from marketdata.book_ticker
  where symbol_id = s.id and ts_exchange >= $1::timestamptz and ts_exchange < $3::timestamptz
  order by ts_exchange desc, update_id desc
  limit 1
) q on true
left join lateral (
  select ts_exchange, price
  from marketdata.trades
  where symbol_id = s.id and ts_exchange >= $1::timestamptz and ts_exchange < $3::timestamptz
  order by ts_exchange desc, agg_trade_id desc
  limit 1
) t on true
order by s.exchange, s.symbol
limit $2::int`

/** Bounded, because the query locks every partition that it may read. */
const SPAN_US = 6 * HOUR_US

/** Reads the six hours after `since`. */
export function selectSymbolStats(
  db: Database,
  since: Micros,
  limit: number,
): Promise<readonly SymbolStatsRow[]> {
  return db.query(SQL, [toIso(since), limit, toIso(micros(since + SPAN_US))])
}
