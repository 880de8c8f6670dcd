import {
  absolute,
  type Decimal,
  decimalOf,
  half,
  minus,
  plus,
  quotient,
  times,
} from '#core/decimals.ts'
import type { BookSide } from '#core/book.ts'

export interface Wall {
  /** Quantity of the largest level [base asset]. */
  readonly size: number
  /** Its distance from the mid, |p_k - m| / m * 1e4 [bps]. */
  readonly dist_bps: number
  /** Its quantity over the median of the levels; many call 5 and more a wall. */
  readonly ratio: number
}

/**
 * The largest of the best N levels of a side; the nearest one where several are equal. There is
 * no standard definition. Null where the side has fewer than N levels.
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
  const dist_bps = quotient(times(distance, decimalOf(1e4)), mid)
  return { size, dist_bps, ratio: quotient(decimalOf(size), median(qtys)) }
}

/** Sorts in place. */
function median(values: Float64Array): Decimal {
  values.sort()
  const middle = values.length >> 1
  const upper = decimalOf(values[middle]!)
  return values.length % 2 === 1 ? upper : half(plus(decimalOf(values[middle - 1]!), upper))
}
