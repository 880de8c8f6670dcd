/**
 * A row of marketdata.orderbook_topn: the best ten levels of each side at one time, and columns
 * computed from them. This file defines the column order; comments in the schema give units and
 * formulas.
 */
import type { OrderBook } from '#core/book.ts'
import { decimalOf, half, plus } from '#core/decimals.ts'
import type { Micros } from '#core/time.ts'
import { imbalance, liquiditySlope, wall } from '../formulas/book-shape.ts'
import { weightedMid } from '../formulas/formulas.ts'

export const TOP_LEVELS = 10

export interface TopRow {
  readonly ts_exchange: Micros
  readonly final_update_id: number
  /** In the order of VALUE_COLUMNS. */
  readonly values: readonly (number | null)[]
}

const SIDES = ['b', 'a'] as const

/** Columns after the key and final_update_id, all of them double precision. */
export const VALUE_COLUMNS: readonly string[] = [
  ...SIDES.flatMap((side) =>
    Array.from({ length: TOP_LEVELS }, (_, rank) => [
      `${side}${rank + 1}_price`,
      `${side}${rank + 1}_qty`,
    ]),
  ).flat(),
  'i1',
  'i5',
  'i10',
  'microprice',
  ...['bid', 'ask'].flatMap((side) => [
    `${side}_wall_size`,
    `${side}_wall_dist_bps`,
    `${side}_wall_ratio`,
    `${side}_slope`,
  ]),
]

/** Price and quantity of the best ten levels, bids first; NaN for a missing level. */
export type TopLevels = Float64Array

export function topLevels(book: OrderBook): TopLevels {
  const levels = new Float64Array(4 * TOP_LEVELS)
  let at = 0
  for (const side of [book.bids, book.asks]) {
    for (let rank = 0; rank < TOP_LEVELS; rank++) {
      levels[at++] = side.priceAt(rank)
      levels[at++] = side.qtyAt(rank)
    }
  }
  return levels
}

export function sameLevels(a: TopLevels, b: TopLevels): boolean {
  return a.every((value, index) => Object.is(value, b[index]))
}

export function topValues(book: OrderBook, levels: TopLevels): readonly (number | null)[] {
  const { bids, asks } = book
  const [best_bid, best_ask] = [bids.priceAt(0), asks.priceAt(0)]
  const is_two_sided = bids.level_count > 0 && asks.level_count > 0
  const quote = { best_bid, best_ask, bid_qty: bids.qtyAt(0), ask_qty: asks.qtyAt(0) }
  const mid = is_two_sided ? half(plus(decimalOf(best_bid), decimalOf(best_ask))) : null
  const ofSide = (side: typeof bids): readonly (number | null)[] => {
    const largest = mid === null ? null : wall(side, mid, TOP_LEVELS)
    const slope = mid === null ? null : liquiditySlope(side, mid, TOP_LEVELS)
    return [largest?.size ?? null, largest?.dist_bps ?? null, largest?.ratio ?? null, slope]
  }
  return [
    ...Array.from(levels, (value) => (Number.isNaN(value) ? null : value)),
    imbalance(book, 1),
    imbalance(book, 5),
    imbalance(book, TOP_LEVELS),
    is_two_sided ? weightedMid(quote) : null,
    ...ofSide(bids),
    ...ofSide(asks),
  ]
}
