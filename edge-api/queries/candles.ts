/**
 * Candles of one instrument: from trade_1s up to its watermark, then from the trades themselves. A
 * candle without trades has no row. range/fold-seconds.ts computes the same from archived seconds:
 * change it together with marketdata.candles.
 */
import { toIso, type Micros } from '#core/time.ts'
import type { Row } from '../tables/table.ts'
import type { Database } from './database.ts'

export interface CandlesArgs {
  readonly symbol_id: number
  readonly interval_us: number
  /** `from` and `to` are multiples of the interval. */
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
