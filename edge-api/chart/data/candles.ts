/** Candles of the API, and the spans in which they are requested. */
import { DAY_US, HOUR_US, SECOND_US } from '#core/time.ts'
import type { Interval } from '../view/view.ts'
import { askAll } from './api.ts'
import { addressOf, type Instrument } from './instrument.ts'

export interface Candle {
  /** Start of the interval [us]. */
  readonly ts: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly buy_volume: number
  readonly sell_volume: number
  readonly trade_count: number
}

export const INTERVAL_US: { readonly [interval in Interval]: number } = {
  '1m': 60 * SECOND_US,
  '5m': 300 * SECOND_US,
  '15m': 900 * SECOND_US,
  '1h': HOUR_US,
  '4h': 4 * HOUR_US,
  '1d': DAY_US,
}

/**
 * A UTC day begins where a block of any interval begins. The API adds candles up from seconds, so
 * what a block costs is its time: blocks are short, and come soon.
 */
export const CANDLE_SPAN_US: { readonly [interval in Interval]: number } = {
  '1m': 2 * HOUR_US,
  '5m': 8 * HOUR_US,
  '15m': DAY_US,
  '1h': 4 * DAY_US,
  '4h': 16 * DAY_US,
  '1d': 90 * DAY_US,
}

/** Of gaps and signals, which are few. */
export const LEDGER_SPAN_US: { readonly [interval in Interval]: number } = {
  '1m': 8 * HOUR_US,
  '5m': DAY_US,
  '15m': 4 * DAY_US,
  '1h': 10 * DAY_US,
  '4h': 60 * DAY_US,
  '1d': 180 * DAY_US,
}

/** What the API's candles and its footprint bars have in common. */
interface CandleRow {
  readonly ts: string
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly buy_volume: string
  readonly sell_volume: string
  readonly trade_count: number
}

export async function askCandles(
  instrument: Instrument,
  interval: Interval,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Candle[]> {
  const { path, query } = addressOf(instrument)
  const rows = await askAll<CandleRow>(
    `/v1/candles/${path}?${query}&interval=${interval}&from=${from}&to=${to}&limit=500`,
    signal,
  )
  return rows.map(candleOfRow)
}

export function candleOfRow(row: CandleRow): Candle {
  return {
    ts: microsOf(row.ts),
    open: Number(row.open),
    high: Number(row.high),
    low: Number(row.low),
    close: Number(row.close),
    buy_volume: Number(row.buy_volume),
    sell_volume: Number(row.sell_volume),
    trade_count: row.trade_count,
  }
}

/** Of ISO text with up to six digits. */
export function microsOf(text: string): number {
  const whole_s = Date.parse(`${text.slice(0, 19)}Z`) * 1_000
  const [, digits = ''] = /\.(\d+)Z$/.exec(text) ?? []
  return whole_s + Number(digits.padEnd(6, '0'))
}
