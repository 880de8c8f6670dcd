import { decimalOf, plus, quotient, times } from '#core/decimals.ts'
import type { TopOfBook } from './quote.ts'

/**
 * Mid weighted by the opposite quantities, in the quote asset: (a Qb + b Qa) / (Qa + Qb), which
 * equals m + s/2 * I1. Many call it the microprice; Stoikov's micro-price is another thing.
 * Null where both quantities are 0.
 */
export function weightedMid(quote: TopOfBook): number | null {
  if (quote.bid_qty + quote.ask_qty === 0) return null
  const [bid, ask] = [decimalOf(quote.best_bid), decimalOf(quote.best_ask)]
  const [bid_qty, ask_qty] = [decimalOf(quote.bid_qty), decimalOf(quote.ask_qty)]
  return quotient(plus(times(ask, bid_qty), times(bid, ask_qty)), plus(bid_qty, ask_qty))
}
