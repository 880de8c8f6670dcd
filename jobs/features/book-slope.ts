import { decimalOf, nearest, plus } from '#core/decimals.ts'
import type { BookSide, OrderBook } from '#core/book.ts'

/**
 * Mean slope of the two sides of the book over N levels, without a unit: how much its log volume
 * grows with the price. Naes & Skjeltorp (2006), Order book characteristics and the
 * volume-volatility relation: S = (1/N) [v_1 / |p_1/p_0 - 1| + sum_(k=1..N-1)
 * (v_(k+1)/v_k - 1) / |p_(k+1)/p_k - 1|], p_0 the mid, v_k = ln of the quantity of the best k
 * levels, here in base-asset units. Mid
 * and quantities are the doubles nearest to the exact ones; from there on it is computed in
 * doubles, level by level. Null where a side has fewer than N levels, or some v_k is 0.
 */
export function bookSlope(
  { bids, asks }: OrderBook,
  mid: number,
  level_count: number,
): number | null {
  if (Math.min(bids.level_count, asks.level_count) < level_count) return null
  const slope = (sideSlope(bids, mid, level_count) + sideSlope(asks, mid, level_count)) / 2
  return Number.isFinite(slope) ? slope : null
}

function sideSlope(side: BookSide, mid: number, level_count: number): number {
  let cumulated_qty = decimalOf(side.qtyAt(0))
  let price = side.priceAt(0)
  let volume = Math.log(nearest(cumulated_qty))
  let sum = volume / Math.abs(price / mid - 1)
  for (let rank = 1; rank < level_count; rank++) {
    cumulated_qty = plus(cumulated_qty, decimalOf(side.qtyAt(rank)))
    const next_price = side.priceAt(rank)
    const next_volume = Math.log(nearest(cumulated_qty))
    sum += (next_volume / volume - 1) / Math.abs(next_price / price - 1)
    price = next_price
    volume = next_volume
  }
  return sum / level_count
}
