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
export function wall(side: BookSide, mid: number, level_count: number): Wall | null {
  if (side.level_count < level_count) return null
  let at = 0
  const qtys = new Float64Array(level_count)
  for (let rank = 0; rank < level_count; rank++) {
    qtys[rank] = side.qtyAt(rank)
    if (qtys[rank]! > qtys[at]!) at = rank
  }
  const size = qtys[at]!
  const dist_bps = (Math.abs(side.priceAt(at) - mid) / mid) * 1e4
  return { size, dist_bps, ratio: size / median(qtys) }
}

/** Sorts in place. */
function median(values: Float64Array): number {
  values.sort()
  const middle = values.length >> 1
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2
}
