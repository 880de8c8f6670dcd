/** Formulas over one quote, two quotes, or sums of trades. Null if an input is missing. */
import {
  type Decimal,
  decimalOf,
  type DecimalSum,
  difference,
  middle,
  minus,
  plus,
  quotient,
  type Scale,
  times,
} from '#core/decimals.ts'

/** Prices in the quote asset, quantities in the base asset; both NaN for an empty side. */
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

/** s = a - b, in the quote asset; negative if the book is crossed. */
export function spread(quote: TopOfBook): number {
  return difference(quote.best_ask, quote.best_bid)
}

/**
 * Mid weighted by the opposite quantities, in the quote asset: (a Qb + b Qa) / (Qa + Qb), which
 * equals m + s/2 * I1. It is often called the microprice; Stoikov's micro-price is different.
 * Null if both quantities are 0.
 */
export function weightedMid(quote: TopOfBook): number | null {
  if (quote.bid_qty + quote.ask_qty === 0) return null
  const [bid, ask] = [decimalOf(quote.best_bid), decimalOf(quote.best_ask)]
  const [bid_qty, ask_qty] = [decimalOf(quote.bid_qty), decimalOf(quote.ask_qty)]
  return quotient(plus(times(ask, bid_qty), times(bid, ask_qty)), plus(bid_qty, ask_qty))
}

/**
 * Imbalance of the best level, -1 (all on the ask) to 1 (all on the bid): (Qb - Qa) / (Qb + Qa).
 * Gould & Bonart (2015), "Queue Imbalance as a One-Tick-Ahead Price Predictor", arXiv 1512.03492.
 * Null if both quantities are 0.
 */
export function queueImbalance(quote: TopOfBook): number | null {
  if (quote.bid_qty + quote.ask_qty === 0) return null
  const [bid_qty, ask_qty] = [decimalOf(quote.bid_qty), decimalOf(quote.ask_qty)]
  return quotient(minus(bid_qty, ask_qty), plus(bid_qty, ask_qty))
}

/**
 * Adds the order flow imbalance of one best-quote update, in base-asset units: quantity added to
 * the bid or removed from the ask, minus the reverse. A second's OFI is the sum over its updates.
 * Cont, Kukanov & Stoikov (2014), "The Price Impact of Order Book Events", arXiv 1011.6402: e_n =
 * Qb_n [b_n >= b_(n-1)] - Qb_(n-1) [b_n <= b_(n-1)]
 *     - Qa_n [a_n <= a_(n-1)] + Qa_(n-1) [a_n >= a_(n-1)]
 * `scale` is the scale of quantities.
 */
export function addOfi(sum: DecimalSum, scale: Scale, before: TopOfBook, after: TopOfBook): void {
  if (after.best_bid >= before.best_bid) sum.add(scale, after.bid_qty)
  if (after.best_bid <= before.best_bid) sum.subtract(scale, before.bid_qty)
  if (after.best_ask <= before.best_ask) sum.subtract(scale, after.ask_qty)
  if (after.best_ask >= before.best_ask) sum.add(scale, before.ask_qty)
}

/**
 * Signed share of the takers' volume, -1 (all sold) to 1 (all bought): (Vb - Vs) / (Vb + Vs).
 * Null if nothing was traded.
 */
export function tradeImbalance(buy_volume: Decimal, sell_volume: Decimal): number | null {
  const share = quotient(minus(buy_volume, sell_volume), plus(buy_volume, sell_volume))
  return Number.isNaN(share) ? null : share
}

/**
 * Volume-weighted average price, in the quote asset: sum(p q) / sum(q).
 * Null if nothing was traded.
 */
export function vwap(notional: Decimal, volume: Decimal): number | null {
  const price = quotient(notional, volume)
  return Number.isNaN(price) ? null : price
}
