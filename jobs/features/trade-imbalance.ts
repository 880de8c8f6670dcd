/**
 * Signed share of the takers' volume, -1 (all sold) to 1 (all bought): (Vb - Vs) / (Vb + Vs).
 * Null where nothing was traded.
 */
export function tradeImbalance(buy_volume: number, sell_volume: number): number | null {
  const volume = buy_volume + sell_volume
  return volume === 0 ? null : (buy_volume - sell_volume) / volume
}
