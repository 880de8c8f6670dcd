/** Formulas over a book's best levels. Null if a side has fewer levels than requested. */
import type { BookSide, OrderBook } from '#core/book.ts'
import {
  absolute,
  type Decimal,
  decimalOf,
  half,
  minus,
  plus,
  quotient,
  times,
  ZERO,
} from '#core/decimals.ts'

const BPS = decimalOf(1e4)

/**
 * Imbalance of the best N levels, -1 (all on the ask) to 1 (all on the bid):
 * (sum Qb_k - sum Qa_k) / (sum Qb_k + sum Qa_k), k = 1..N. N = 1 is the queue imbalance of
 * Gould & Bonart (2015), arXiv 1512.03492. Null if a side has fewer than N levels.
 */
export function imbalance(book: OrderBook, level_count: number): number | null {
  const { bids, asks } = book
  if (Math.min(bids.level_count, asks.level_count) < level_count) return null
  const bid_qty = qtyOfBest(bids, level_count)
  const ask_qty = qtyOfBest(asks, level_count)
  return quotient(minus(bid_qty, ask_qty), plus(bid_qty, ask_qty))
}

/**
 * How fast liquidity builds up away from the mid, in base asset per basis point: the slope of the
 * cumulated quantity y_k over the distance x_k = |p_k - m| / m * 1e4 of the best N levels, by
 * least squares through the origin: sum x_k y_k / sum x_k^2. A regression form of the book slope
 * of Naes & Skjeltorp (2006), Order book characteristics and the volume-volatility relation.
 * Null if the side has fewer than N levels.
 */
export function liquiditySlope(side: BookSide, mid: Decimal, level_count: number): number | null {
  if (side.level_count < level_count) return null
  let cumulated_qty = ZERO
  // The distances here are in the quote asset; x_k is one of them times 1e4 / m.
  let xy = ZERO
  let xx = ZERO
  for (let rank = 0; rank < level_count; rank++) {
    const distance = absolute(minus(decimalOf(side.priceAt(rank)), mid))
    cumulated_qty = plus(cumulated_qty, decimalOf(side.qtyAt(rank)))
    xy = plus(xy, times(distance, cumulated_qty))
    xx = plus(xx, times(distance, distance))
  }
  return quotient(times(mid, xy), times(BPS, xx))
}

export interface Wall {
  /** Quantity of the largest level [base asset]. */
  readonly size: number
  /** Its distance from the mid, |p_k - m| / m * 1e4 [bps]. */
  readonly dist_bps: number
  /** Its quantity over the median of the levels; 5 or more is often called a wall. */
  readonly ratio: number
}

/**
 * The largest of the best N levels of a side; if several are equal, the nearest to the mid. There
 * is no standard definition. Null if the side has fewer than N levels.
 */
export function wall(side: BookSide, mid: Decimal, level_count: number): Wall | null {
  if (side.level_count < level_count) return null
  let at = 0
  const qtys = new Float64Array(level_count)
  for (let rank = 0; rank < level_count; rank++) {
    qtys[rank] = side.qtyAt(rank)
    if (qtys[rank]! > qtys[at]!) at = rank
  }
  const size = qtys[at]!
  const distance = absolute(minus(decimalOf(side.priceAt(at)), mid))
  const dist_bps = quotient(times(distance, BPS), mid)
  return { size, dist_bps, ratio: quotient(decimalOf(size), median(qtys)) }
}

/** Sorts in place. */
function median(values: Float64Array): Decimal {
  values.sort()
  const middle = values.length >> 1
  const upper = decimalOf(values[middle]!)
  return values.length % 2 === 1 ? upper : half(plus(decimalOf(values[middle - 1]!), upper))
}

/** Exact quantity of the best N levels of a side, which must exist [base asset]. */
function qtyOfBest(side: BookSide, level_count: number): Decimal {
  let qty = ZERO
  for (let rank = 0; rank < level_count; rank++) qty = plus(qty, decimalOf(side.qtyAt(rank)))
  return qty
}
