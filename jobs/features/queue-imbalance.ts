import type { TopOfBook } from './quote.ts'

/**
 * Imbalance of the best level, -1 (all on the ask) to 1 (all on the bid): (Qb - Qa) / (Qb + Qa).
 * Gould & Bonart (2015), "Queue Imbalance as a One-Tick-Ahead Price Predictor", arXiv 1512.03492.
 * Null where both quantities are 0.
 */
export function queueImbalance(quote: TopOfBook): number | null {
  const qty = quote.bid_qty + quote.ask_qty
  return qty === 0 ? null : (quote.bid_qty - quote.ask_qty) / qty
}
