/** Resting liquidity by time and price, for the heatmap. */
import { HOUR_US, SECOND_US } from '#core/time.ts'
import { ask } from './api.ts'
import { microsOf } from './candles.ts'
import { addressOf, type Instrument } from './instrument.ts'

export interface HeatRow {
  readonly ts: number
  /** Lowest prices of bins, and what rests in them; bids first. */
  readonly price: Float64Array
  readonly qty: Float64Array
}

export const HEAT_INTERVALS = ['1s', '10s', '1m', '5m'] as const
export type HeatInterval = (typeof HEAT_INTERVALS)[number]

export const HEAT_US: { readonly [interval in HeatInterval]: number } = {
  '1s': SECOND_US,
  '10s': 10 * SECOND_US,
  '1m': 60 * SECOND_US,
  '5m': 300 * SECOND_US,
}

export const HEAT_SPAN_US: { readonly [interval in HeatInterval]: number } = {
  '1s': HOUR_US / 6,
  '10s': HOUR_US,
  '1m': 6 * HOUR_US,
  '5m': 24 * HOUR_US,
}

/** Columns narrower than this would only cost [CSS pixels]. */
const COLUMN_PX = 2

export function heatInterval(span_us: number, width_px: number): HeatInterval {
  const wide = HEAT_INTERVALS.find((name) => (HEAT_US[name] / span_us) * width_px >= COLUMN_PX)
  return wide ?? '5m'
}

/** All of a range: the route has no pages. */
interface Answer {
  readonly rows: readonly Row[]
}

interface Row {
  readonly ts: string
  readonly bid: readonly (readonly [string, string])[]
  readonly ask: readonly (readonly [string, string])[]
}

export async function askHeat(
  instrument: Instrument,
  interval: HeatInterval,
  bin: number,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly HeatRow[]> {
  const { path, query } = addressOf(instrument)
  const asked = `interval=${interval}&bin=${bin}&from=${from}&to=${to}`
  const { rows } = await ask<Answer>(`/v1/heatmap/${path}?${query}&${asked}`, signal)
  return rows.map(({ ts, bid, ask: asks }) => {
    const levels = [...bid, ...asks]
    return {
      ts: microsOf(ts),
      price: Float64Array.from(levels, ([price]) => Number(price)),
      qty: Float64Array.from(levels, ([, qty]) => Number(qty)),
    }
  })
}
