import { decimalOf, minus, plus, quotient } from '#core/decimals.ts'
import type { TopOfBook } from './quote.ts'

/**
 * Imbalance of the best level, -1 (all on the ask) to 1 (all on the bid): (Qb - Qa) / (Qb + Qa).
 * Gould & Bonart (2015), "Queue Imbalance as a One-Tick-Ahead Price Predictor", arXiv 1512.03492.
 * Null where both quantities are 0.
 */
export function queueImbalance(quote: TopOfBook): number | null {
  if (quote.bid_qty + quote.ask_qty === 0) return null
  const [bid_qty, ask_qty] = [decimalOf(quote.bid_qty), decimalOf(quote.ask_qty)]
  return quotient(minus(bid_qty, ask_qty), plus(bid_qty, ask_qty))
}
