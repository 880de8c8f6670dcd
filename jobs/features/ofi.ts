import type { TopOfBook } from './quote.ts'

/**
 * Order flow imbalance of one best-quote update, in base-asset units: what was added to the bid
 * or taken from the ask, less the reverse. The OFI of a second is the sum over its updates.
 * Cont, Kukanov & Stoikov (2014), "The Price Impact of Order Book Events", arXiv 1011.6402:
 * e_n = Qb_n [b_n >= b_(n-1)] - Qb_(n-1) [b_n <= b_(n-1)]
 *     - Qa_n [a_n <= a_(n-1)] + Qa_(n-1) [a_n >= a_(n-1)]
 */
export function ofi(before: TopOfBook, after: TopOfBook): number {
  let e = 0
  if (after.best_bid >= before.best_bid) e += after.bid_qty
  if (after.best_bid <= before.best_bid) e -= before.bid_qty
  if (after.best_ask <= before.best_ask) e -= after.ask_qty
  if (after.best_ask >= before.best_ask) e += before.ask_qty
  return e
}
