import type { DecimalSum, Scale } from '#core/decimals.ts'
import type { TopOfBook } from './quote.ts'

/**
 * Adds the order flow imbalance of one best-quote update, in base-asset units: what was added to
 * the bid or taken from the ask, less the reverse. The OFI of a second is the sum over its updates.
 * Cont, Kukanov & Stoikov (2014), "The Price Impact of Order Book Events", arXiv 1011.6402:
 * e_n = Qb_n [b_n >= b_(n-1)] - Qb_(n-1) [b_n <= b_(n-1)]
 *     - Qa_n [a_n <= a_(n-1)] + Qa_(n-1) [a_n >= a_(n-1)]
 * `scale` is that of quantities.
 */
export function addOfi(sum: DecimalSum, scale: Scale, before: TopOfBook, after: TopOfBook): void {
  if (after.best_bid >= before.best_bid) sum.add(scale, after.bid_qty)
  if (after.best_bid <= before.best_bid) sum.subtract(scale, before.bid_qty)
  if (after.best_ask <= before.best_ask) sum.subtract(scale, after.ask_qty)
  if (after.best_ask >= before.best_ask) sum.add(scale, before.ask_qty)
}
