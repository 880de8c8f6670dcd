/**
 * Candles out of rows of trade_1s, as queries/candles.ts has Postgres make them: the same sums in
 * the same order, so that the same seconds give the same bits.
 */
import { micros, type Micros } from '#core/time.ts'
import { candle_columns } from './market-data-columns.ts'
import type { Row } from './table.ts'

/** Columns of trade_1s that a candle is made of. */
export const SECOND_COLUMNS: readonly string[] = [
  'bucket',
  ...candle_columns.map(({ name }) => name).filter((name) => name !== 'ts' && name !== 'vwap'),
]

const SUMS = ['volume', 'notional', 'trade_count', 'buy_volume', 'sell_volume'] as const

/** Start of the candle that a moment lies in. */
export function candleStart(ts: number, interval_us: number): Micros {
  return micros(Math.floor(ts / interval_us) * interval_us)
}

/** Seconds of one symbol, in order, however they are cut into calls of add(). */
export class SecondFold {
  readonly #interval_us: number
  readonly #candles: Record<string, number | null>[] = []

  constructor(interval_us: number) {
    this.#interval_us = interval_us
  }

  add(seconds: readonly Row[]): void {
    for (const second of seconds) {
      const value = (name: string): number => second[name] as number
      const ts = candleStart(value('bucket'), this.#interval_us)
      const candle = this.#candles.at(-1)
      if (candle?.['ts'] !== ts) {
        const { bucket: _bucket, ...first } = second
        this.#candles.push({ ts, ...(first as Record<string, number>) })
        continue
      }
      candle['high'] = Math.max(candle['high']!, value('high'))
      candle['low'] = Math.min(candle['low']!, value('low'))
      candle['close'] = value('close')
      for (const name of SUMS) candle[name] = candle[name]! + value(name)
    }
  }

  candles(): readonly Row[] {
    return this.#candles.map((candle) => {
      const { volume, notional } = candle
      return { ...candle, vwap: volume === 0 ? null : notional! / volume! }
    })
  }
}
