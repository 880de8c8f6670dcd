import type { BookSide } from '#core/book.ts'

/**
 * How fast liquidity builds up away from the mid, in base asset per basis point: the slope of the
 * cumulated quantity y_k over the distance x_k = |p_k - m| / m * 1e4 of the best N levels, by
 * least squares through the origin: sum x_k y_k / sum x_k^2. A regression form of the book slope
 * of Naes & Skjeltorp (2006), Order book characteristics and the volume-volatility relation.
 * Null where the side has fewer than N levels.
 */
export function liquiditySlope(side: BookSide, mid: number, level_count: number): number | null {
  if (side.level_count < level_count) return null
  let cumulated_qty = 0
  let xy = 0
  let xx = 0
  for (let rank = 0; rank < level_count; rank++) {
    const distance_bps = (Math.abs(side.priceAt(rank) - mid) / mid) * 1e4
    cumulated_qty += side.qtyAt(rank)
    xy += distance_bps * cumulated_qty
    xx += distance_bps * distance_bps
  }
  return xy / xx
}
