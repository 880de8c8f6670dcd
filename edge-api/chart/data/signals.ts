/** Signals of the API, as marks of the chart. */
import type { SignalKind } from '#core/signals/signal.ts'
import { askAll } from './api.ts'
import { microsOf } from './candles.ts'
import { addressOf, type Instrument } from './instrument.ts'

export interface Signal {
  readonly id: number
  /** When it was known [us]. */
  readonly ts: number
  /** Start of its bar; undefined for signals that are not of a bar. */
  readonly bar_ts: number | undefined
  readonly kind: SignalKind
  readonly interval: string | null
  readonly side: 'buy' | 'sell'
  readonly price_low: string
  readonly price_high: string
  readonly strength: number
}

/** What is read of a row of the API, or of the live stream. */
type Row = Omit<Signal, 'ts' | 'bar_ts' | 'kind'> & {
  readonly ts: string
  readonly bar_ts: string | null
  readonly kind: string
}

export function signalOf(row: Row): Signal {
  const { id, ts, bar_ts, kind, interval, side, price_low, price_high, strength } = row
  return {
    id,
    ts: microsOf(ts),
    bar_ts: bar_ts === null ? undefined : microsOf(bar_ts),
    kind: kind as SignalKind,
    interval,
    side,
    price_low,
    price_high,
    strength,
  }
}

export async function askSignals(
  instrument: Instrument,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Signal[]> {
  const { path, query } = addressOf(instrument)
  const rows = await askAll<Row>(`/v1/signals/${path}?${query}&from=${from}&to=${to}`, signal)
  return rows.map(signalOf)
}

/** `stacked imbalance (buy), 64960.0 to 64961.0, strength 3` */
export function signalWords({ kind, side, price_low, price_high, strength }: Signal): string {
  const prices = price_low === price_high ? price_low : `${price_low} to ${price_high}`
  return `${kind.replaceAll('_', ' ')} (${side}), ${prices}, strength ${Number(strength.toPrecision(3))}`
}
