/** How Binance spot is asked for trades that were not heard: its history reaches back for ever. */
import type { StreamChoice, TradeHistory } from '../adapter.ts'

/**
 * Source: developers.binance.com/docs/binance-spot-api-docs/rest-api, "Compressed/Aggregate trades
 * list" (weight 4, fromId inclusive) and "Old trade lookup" (weight 25, no key since 2024). Spot
 * knows no insurance fund: ids have no holes.
 */
const AGG_TRADES: TradeHistory = {
  page_trades_max: 1_000,
  page_weight: 4,
  has_every_id: true,
  window_s: undefined,
  pathFrom: (symbol, from_id, limit) =>
    `/api/v3/aggTrades?symbol=${encodeURIComponent(symbol)}&fromId=${from_id}&limit=${limit}`,
  byTime: {
    // An hour was the limit until 2024; nobody is hurt by keeping to it.
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
