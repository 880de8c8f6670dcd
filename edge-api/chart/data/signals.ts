/** Signals of the API, as marks of the chart. */
import type { SignalKind } from '#core/signals/signal.ts'
import { askAll } from './api.ts'
import { microsOf } from './candles.ts'
import { addressOf, type Instrument } from './instrument.ts'

export interface Signal {
  /** When it was known [us]. */
  readonly ts: number
  /** Start of its bar; undefined for signals that are not of a bar. */
  readonly bar_ts: number | undefined
  readonly kind: SignalKind
  readonly interval: string | null
  readonly side: 'buy' | 'sell' | null
  readonly price_low: string
  readonly price_high: string
  readonly strength: number
}

interface Row extends Omit<Signal, 'ts' | 'bar_ts'> {
  readonly ts: string
  readonly bar_ts: string | null
}

export async function askSignals(
  instrument: Instrument,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Signal[]> {
  const { path, query } = addressOf(instrument)
  const rows = await askAll<Row>(`/v1/signals/${path}?${query}&from=${from}&to=${to}`, signal)
  return rows.map(({ ts, bar_ts, ...rest }) => ({
    ...rest,
    ts: microsOf(ts),
    bar_ts: bar_ts === null ? undefined : microsOf(bar_ts),
  }))
}

/** `stacked imbalance (buy), 64960.0 to 64961.0, strength 3` */
export function signalWords({ kind, side, price_low, price_high, strength }: Signal): string {
  const of_side = side === null ? '' : ` (${side})`
  const prices = price_low === price_high ? price_low : `${price_low} to ${price_high}`
  return `${kind.replaceAll('_', ' ')}${of_side}, ${prices}, strength ${Number(strength.toPrecision(3))}`
}
