import { type Decimal, decimalOf, plus, ZERO } from '#core/decimals.ts'
import type { BookSide } from '#core/book.ts'

/** Quantity of the best N levels of a side, all of which are there: exact [base asset]. */
export function qtyOfBest(side: BookSide, level_count: number): Decimal {
  let qty = ZERO
  for (let rank = 0; rank < level_count; rank++) qty = plus(qty, decimalOf(side.qtyAt(rank)))
  return qty
}
