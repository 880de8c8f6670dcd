/**
 * A signal: something that the footprint or the book showed, at the time when it was known. Rows of
 * marketdata.signals, of the dataset `signals` and of /v1/signals have these fields.
 */
import { type Decimal, nearest } from '../decimals.ts'
import type { Micros } from '../time.ts'

export const SIGNAL_KINDS = [
  'stacked_imbalance',
  'absorption',
  'exhaustion',
  'delta_divergence',
  'unfinished_auction',
  'large_trade',
  'wall_appeared',
  'wall_pulled',
] as const
export type SignalKind = (typeof SIGNAL_KINDS)[number]

/** Lengths of the bars that signals come from [s]. */
export const SIGNAL_INTERVALS_S = [60, 300] as const

/** Values that explain a signal. Which of them a kind has is in registry.ts. */
export const DETAIL_NAMES = [
  'bin_ticks',
  'volume',
  'delta',
  'qty',
  'reference_qty',
  'qty_after',
  'traded_qty',
  'buy_qty',
  'sell_qty',
  'reference_price',
  'trade_id',
] as const
export type DetailName = (typeof DETAIL_NAMES)[number]

export interface Signal {
  /** When it is known: the end of its bar, its trade, or the update that confirms the book. */
  readonly ts: Micros
  readonly kind: SignalKind
  /** Length of its bar [s]; null for signals of trades and books. */
  readonly interval_s: number | null
  /** Start of its bar, or the second at which the book was seen; null for trades. */
  readonly bar_ts: Micros | null
  /** The direction that it speaks for: buy means rising prices. */
  readonly side: 'buy' | 'sell'
  /** The prices that it is about, both included. */
  readonly price_low: number
  readonly price_high: number
  /** See the registry; greater is stronger. */
  readonly strength: number
  readonly details: Readonly<Partial<Record<DetailName, number>>>
  /** Of the kind's definition. */
  readonly version: number
}

/** Details of exact values, each rounded once. */
export function detailsOf(
  values: Readonly<Partial<Record<DetailName, Decimal>>>,
): Signal['details'] {
  const rounded = Object.entries(values).map(([name, value]) => [name, nearest(value)] as const)
  return Object.fromEntries(rounded)
}
