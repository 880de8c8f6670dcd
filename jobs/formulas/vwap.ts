import { type Decimal, quotient } from '#core/decimals.ts'

/**
 * Volume-weighted average price, in the quote asset: sum(p q) / sum(q).
 * Null where nothing was traded.
 */
export function vwap(notional: Decimal, volume: Decimal): number | null {
  const price = quotient(notional, volume)
  return Number.isNaN(price) ? null : price
}
