/**
 * Candles of one instrument out of trade_1s: whole seconds up to its watermark, the newest ones
 * from the trades themselves. Only candles with a trade have a row. range/fold-seconds.ts makes the
 * same of seconds of the archive: what changes in marketdata.candles changes there.
 */
import { toIso, type Micros } from '#core/time.ts'
import type { Row } from '../tables/table.ts'
import type { Database } from './database.ts'

export interface CandlesArgs {
  readonly symbol_id: number
  readonly interval_us: number
  /** Both on the grid of the interval. */
  readonly from: Micros
  readonly to: Micros
  readonly limit: number
}

const SQL = `
select ts, open, high, low, close, volume, notional, trade_count, buy_volume, sell_volume, vwap
from marketdata.candles($1, $4::double precision, $2::timestamptz, $3::timestamptz, $5)`

export function selectCandles(db: Database, args: CandlesArgs): Promise<readonly Row[]> {
  const { symbol_id, interval_us, from, to, limit } = args
  return db.query(SQL, [symbol_id, toIso(from), toIso(to), interval_us / 1_000_000, limit])
}
