/** How to request missed trades from Binance spot. Its history has no time limit. */
import type { StreamChoice, TradeHistory } from '../adapter.ts'

/**
 * Source: developers.binance.com/docs/binance-spot-api-docs/rest-api, "Compressed/Aggregate
 * trades list" (weight 4, fromId inclusive) and "Old trade lookup" (weight 25, no key since
 * 2024). Spot has no insurance fund, so no id is left out.
 */
const AGG_TRADES: TradeHistory = {
  page_trades_max: 1_000,
  page_weight: 4,
  has_every_id: true,
  window_s: undefined,
  pathFrom: (symbol, from_id, limit) =>
    `/api/v3/aggTrades?symbol=${encodeURIComponent(symbol)}&fromId=${from_id}&limit=${limit}`,
  byTime: {
    // The limit was one hour until 2024. Keeping it does no harm.
    span_s_max: 3_599,
    path: (symbol, from_ms, to_ms, limit) =>
      `/api/v3/aggTrades?symbol=${encodeURIComponent(symbol)}` +
      `&startTime=${from_ms}&endTime=${to_ms}&limit=${limit}`,
  },
}

const RAW_TRADES: TradeHistory = {
  page_trades_max: 1_000,
  page_weight: 25,
  has_every_id: true,
  window_s: undefined,
  pathFrom: (symbol, from_id, limit) =>
    `/api/v3/historicalTrades?symbol=${encodeURIComponent(symbol)}` +
    `&fromId=${from_id}&limit=${limit}`,
  byTime: undefined,
}

export function tradeHistory(choice: StreamChoice): TradeHistory {
  return choice.trade_stream === 'trade' ? RAW_TRADES : AGG_TRADES
}
