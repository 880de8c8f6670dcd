/**
 * Volume-weighted average price, in the quote asset: sum(p q) / sum(q).
 * Null where nothing was traded.
 */
export function vwap(notional: number, volume: number): number | null {
  return volume === 0 ? null : notional / volume
}
