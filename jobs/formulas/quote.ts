/** The best level of a book, and what follows from it directly. */
import { difference, middle } from '#core/decimals.ts'

/** Prices in the quote asset, quantities in the base asset; NaN for both where the side is empty. */
export interface TopOfBook {
  readonly best_bid: number
  readonly bid_qty: number
  readonly best_ask: number
  readonly ask_qty: number
}

/** A quote with an empty side has no mid. */
export function isTwoSided(quote: TopOfBook): boolean {
  return quote.best_bid > 0 && quote.best_ask > 0
}

/** m = (b + a) / 2, in the quote asset. */
export function mid(quote: TopOfBook): number {
  return middle(quote.best_bid, quote.best_ask)
}

/** s = a - b, in the quote asset; negative where the book is crossed. */
export function spread(quote: TopOfBook): number {
  return difference(quote.best_ask, quote.best_bid)
}
