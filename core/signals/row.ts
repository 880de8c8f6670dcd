/** A signal as the API answers it and the live stream sends it: decimals as text. Pure. */
import { decimalText, type Decimals } from '../decimal-text.ts'
import { type Micros, toIso } from '../time.ts'
import { DETAIL_NAMES, type DetailName, type Signal, type SignalKind } from './signal.ts'

export const SIGNAL_INTERVALS = ['1m', '5m'] as const
export type SignalInterval = (typeof SIGNAL_INTERVALS)[number]
export const SIGNAL_INTERVAL_S = { '1m': 60, '5m': 300 } as const

/** A row of marketdata.signals or of the dataset; null: the kind has no such detail. */
export type StoredSignal = Omit<Signal, 'details'> & { readonly id: number } & {
  readonly [name in DetailName]: number | null
}

export interface SignalJson {
  readonly ts: string
  readonly id: number
  readonly kind: SignalKind
  readonly interval: SignalInterval | null
  readonly bar_ts: string | null
  readonly side: 'buy' | 'sell'
  readonly price_low: string
  readonly price_high: string
  readonly strength: number
  readonly details: Record<string, string | number>
  readonly version: number
}

export function signalJson(row: StoredSignal, decimals: Decimals): SignalJson {
  const { ts, id, kind, interval_s, bar_ts, side, strength, version } = row
  return {
    ts: toIso(ts),
    id,
    kind,
    interval: SIGNAL_INTERVALS.find((name) => SIGNAL_INTERVAL_S[name] === interval_s) ?? null,
    bar_ts: timeText(bar_ts),
    side,
    price_low: decimalText(row.price_low, decimals.price_decimals),
    price_high: decimalText(row.price_high, decimals.price_decimals),
    strength,
    details: Object.fromEntries(
      DETAIL_NAMES.flatMap((name) => {
        const value = row[name]
        return value === null ? [] : [[name, detailText(name, value, decimals)] as const]
      }),
    ),
    version,
  }
}

function timeText(ts: Micros | null): string | null {
  return ts === null ? null : toIso(ts)
}

function detailText(
  name: DetailName,
  value: number,
  { price_decimals, qty_decimals }: Decimals,
): string | number {
  if (name === 'bin_ticks' || name === 'trade_id') return value
  return decimalText(value, name === 'reference_price' ? price_decimals : qty_decimals)
}
