import {
  absolute,
  type Decimal,
  decimalOf,
  minus,
  plus,
  quotient,
  times,
  ZERO,
} from '#core/decimals.ts'
import type { BookSide } from '#core/book.ts'

const BPS = decimalOf(1e4)

/**
 * How fast liquidity builds up away from the mid, in base asset per basis point: the slope of the
 * cumulated quantity y_k over the distance x_k = |p_k - m| / m * 1e4 of the best N levels, by
 * least squares through the origin: sum x_k y_k / sum x_k^2. A regression form of the book slope
 * of Naes & Skjeltorp (2006), Order book characteristics and the volume-volatility relation.
 * Null where the side has fewer than N levels.
 */
export function liquiditySlope(side: BookSide, mid: Decimal, level_count: number): number | null {
  if (side.level_count < level_count) return null
  let cumulated_qty = ZERO
  // Of distances in the quote asset: x_k is one of them times 1e4 / m.
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
