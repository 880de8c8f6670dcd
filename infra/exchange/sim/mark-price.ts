/** Mark price, index price and funding of a simulated symbol, each second. Pure. */

/** Prices as text with eight decimals, as the exchange writes them. */
export interface MarkPrice {
  readonly ts_ms: number
  readonly mark_price: string
  readonly mark_average: string
  readonly index_price: string
  readonly settle_price: string
  readonly funding_rate: string
  readonly next_funding_ms: number
}

const FUNDING_INTERVAL_MS = 8 * 3_600_000
const BASIS_PERIOD_MS = 47 * 60_000

/** The basis (perpetual over index) swings by a few hundredths of a percent; `phase` in [0, 1). */
export function markPriceAt(ts_ms: number, mid: number, average: number, phase: number): MarkPrice {
  const basis = 0.0004 * Math.sin(2 * Math.PI * (ts_ms / BASIS_PERIOD_MS + phase))
  const index = mid / (1 + basis)
  return {
    ts_ms,
    mark_price: mid.toFixed(8),
    mark_average: average.toFixed(8),
    index_price: index.toFixed(8),
    settle_price: ((mid + 2 * index) / 3).toFixed(8),
    funding_rate: (0.0001 + basis / 8).toFixed(8),
    next_funding_ms: (Math.floor(ts_ms / FUNDING_INTERVAL_MS) + 1) * FUNDING_INTERVAL_MS,
  }
}
