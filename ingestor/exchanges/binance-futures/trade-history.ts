/** How to request missed trades from Binance USD-M, and how far back it answers. */
import type { StreamChoice, TradeHistory } from '../adapter.ts'

const HOUR_S = 3_600

/**
 * Sources: for aggTrades the official connector's market-data-api of 2026 (weight 20; the last 24
 * hours; spans under an hour). For historicalTrades the documentation page "Old Trades Lookup"
 * (weight 20; market trades only, without ids of the insurance fund and of auto-deleveraging). The
 * exchange may require an API key for historicalTrades; without one it refuses, and the ledger
 * records that.
 */
const AGG_TRADES: TradeHistory = {
  page_trades_max: 1_000,
  page_weight: 20,
  has_every_id: true,
  window_s: 24 * HOUR_S,
  pathFrom: (symbol, from_id, limit) =>
    `/fapi/v1/aggTrades?symbol=${encodeURIComponent(symbol)}&fromId=${from_id}&limit=${limit}`,
  byTime: {
    span_s_max: HOUR_S - 1,
    path: (symbol, from_ms, to_ms, limit) =>
      `/fapi/v1/aggTrades?symbol=${encodeURIComponent(symbol)}` +
      `&startTime=${from_ms}&endTime=${to_ms}&limit=${limit}`,
  },
}

const RAW_TRADES: TradeHistory = {
  page_trades_max: 1_000,
  page_weight: 20,
  has_every_id: false,
  window_s: undefined,
  pathFrom: (symbol, from_id, limit) =>
    `/fapi/v1/historicalTrades?symbol=${encodeURIComponent(symbol)}&fromId=${from_id}&limit=${limit}`,
  byTime: undefined,
}

export function tradeHistory(choice: StreamChoice): TradeHistory {
  return choice.trade_stream === 'trade' ? RAW_TRADES : AGG_TRADES
}
