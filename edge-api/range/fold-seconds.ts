/**
 * Computes candles from rows of trade_1s with the same exact sums as marketdata.candles in Postgres
 * (queries/candles.ts), so that the same seconds give the same bits.
 */
import { type Decimal, decimalOf, nearest, plus, quotient } from '#core/decimals.ts'
import { micros, type Micros } from '#core/time.ts'
import { candle_columns } from '../tables/market-data-columns.ts'
import type { Row } from '../tables/table.ts'

/** Columns of trade_1s that candles are computed from. */
export const SECOND_COLUMNS: readonly string[] = [
  'bucket',
  ...candle_columns.map(({ name }) => name).filter((name) => name !== 'ts' && name !== 'vwap'),
]

const SUMS = ['volume', 'notional', 'trade_count', 'buy_volume', 'sell_volume'] as const

interface Candle {
  readonly prices: { ts: Micros; open: number; high: number; low: number; close: number }
  readonly sums: Record<(typeof SUMS)[number], Decimal>
}

/** Start of the candle that contains `ts`. */
export function candleStart(ts: number, interval_us: number): Micros {
  return micros(Math.floor(ts / interval_us) * interval_us)
}

/** Takes the seconds of one symbol in order, in any number of calls of add(). */
export class SecondFold {
  readonly #interval_us: number
  readonly #candles: Candle[] = []

  constructor(interval_us: number) {
    this.#interval_us = interval_us
  }

  add(seconds: readonly Row[]): void {
    for (const second of seconds) {
      const value = (name: string): number => second[name] as number
      const ts = candleStart(value('bucket'), this.#interval_us)
      const candle = this.#candles.at(-1)
      if (candle?.prices.ts !== ts) {
        const [open, high, low, close] = [
          value('open'),
          value('high'),
          value('low'),
          value('close'),
        ]
        const sums = SUMS.map((name) => [name, decimalOf(value(name))])
        const prices = { ts, open, high, low, close }
        this.#candles.push({ prices, sums: Object.fromEntries(sums) as Candle['sums'] })
        continue
      }
      const { prices, sums } = candle
      prices.high = Math.max(prices.high, value('high'))
      prices.low = Math.min(prices.low, value('low'))
      prices.close = value('close')
      for (const name of SUMS) sums[name] = plus(sums[name], decimalOf(value(name)))
    }
  }

  candles(): readonly Row[] {
    return this.#candles.map(({ prices, sums }) => {
      const totals = SUMS.map((name) => [name, nearest(sums[name])])
      const vwap = quotient(sums.notional, sums.volume)
      return { ...prices, ...Object.fromEntries(totals), vwap: Number.isNaN(vwap) ? null : vwap }
    })
  }
}
