import { type Decimal, minus, plus, quotient } from '#core/decimals.ts'

/**
 * Signed share of the takers' volume, -1 (all sold) to 1 (all bought): (Vb - Vs) / (Vb + Vs).
 * Null where nothing was traded.
 */
export function tradeImbalance(buy_volume: Decimal, sell_volume: Decimal): number | null {
  const share = quotient(minus(buy_volume, sell_volume), plus(buy_volume, sell_volume))
  return Number.isNaN(share) ? null : share
}
