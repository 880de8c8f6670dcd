import type { TopOfBook } from './quote.ts'

/**
 * Mid weighted by the opposite quantities, in the quote asset: (a Qb + b Qa) / (Qa + Qb), which
 * equals m + s/2 * I1. Many call it the microprice; Stoikov's micro-price is another thing.
 * Null where both quantities are 0.
 */
export function weightedMid(quote: TopOfBook): number | null {
  const { best_bid, bid_qty, best_ask, ask_qty } = quote
  const qty = ask_qty + bid_qty
  return qty === 0 ? null : (best_ask * bid_qty + best_bid * ask_qty) / qty
}
