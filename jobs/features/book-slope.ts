import { absolute, type Decimal, decimalOf, integersOf, minus, plus } from '#core/decimals.ts'
import type { BookSide, OrderBook } from '#core/book.ts'
import {
  addWide,
  divideWide,
  multiplyWide,
  negateWide,
  type Wide,
  wide,
  wideOfInteger,
} from './logarithm/double-double.ts'
import { logOfDecimal } from './logarithm/log-ratio.ts'

/**
 * Mean slope of both sides of the book over N levels, without a unit: how fast log volume grows
 * with price. Naes & Skjeltorp (2006), Order book characteristics and the volume-volatility
 * relation: S = (1/N) [v_1 / |p_1/p_0 - 1| + sum_(k=1..N-1) (v_(k+1)/v_k - 1) / |p_(k+1)/p_k - 1|].
 * p_0 is the mid, v_k the logarithm of the total quantity of the best k levels in base-asset units.
 * Computed from exact mids and quantities at twice a double's precision, and rounded once. Null if
 * a side has fewer than N levels, if a v_k used as a divisor is 0, or if the best prices are equal.
 */
export function bookSlope(
  { bids, asks }: OrderBook,
  mid: Decimal,
  level_count: number,
): number | null {
  if (Math.min(bids.level_count, asks.level_count) < level_count) return null
  const [bid, ask] = [sideSlope(bids, mid, level_count), sideSlope(asks, mid, level_count)]
  if (bid === undefined || ask === undefined) return null
  return divideWide(addWide(bid, ask), wide(2 * level_count)).hi
}

/** N times S for one side. */
function sideSlope(side: BookSide, mid: Decimal, level_count: number): Wide | undefined {
  let cumulated_qty = decimalOf(side.qtyAt(0))
  let price = decimalOf(side.priceAt(0))
  let volume = logOfDecimal(cumulated_qty)
  const first = distance(mid, price)
  if (first === undefined) return undefined
  let sum = divideWide(multiplyWide(volume, first.from), first.length)
  for (let rank = 1; rank < level_count; rank++) {
    if (volume.hi === 0) return undefined
    cumulated_qty = plus(cumulated_qty, decimalOf(side.qtyAt(rank)))
    const next_volume = logOfDecimal(cumulated_qty)
    const next_price = decimalOf(side.priceAt(rank))
    // Two levels of a side never have the same price.
    const { from, length } = distance(price, next_price)!
    const growth = addWide(next_volume, negateWide(volume))
    sum = addWide(sum, divideWide(multiplyWide(growth, from), multiplyWide(volume, length)))
    price = next_price
    volume = next_volume
  }
  return sum
}

/** |to / from - 1| as length / from; undefined if it is 0. */
function distance(
  from: Decimal,
  to: Decimal,
): { readonly from: Wide; readonly length: Wide } | undefined {
  const [length, start] = integersOf(absolute(minus(to, from)), from)
  if (length === 0 || length === 0n) return undefined
  return { from: wideOfInteger(start), length: wideOfInteger(length) }
}
