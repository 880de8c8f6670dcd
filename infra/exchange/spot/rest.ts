/** Binance spot's REST market data: weights and response shapes. */
import { invalidParameter, invalidSymbol } from '../protocol/rest-errors.ts'
import {
  aggTradeQuery,
  newestTrades,
  readCount,
  requireSymbol,
  ticker24h,
  tradesFrom,
} from '../protocol/rest-queries.ts'
import type { RestAnswer } from '../protocol/rest.ts'
import type { ListedMarket, RestSource, TradeRow } from '../source.ts'

const DEPTH_LEVELS_MAX = 5_000

/** Undefined if the path does not exist. */
export function answerSpotRest(
  path: string,
  query: URLSearchParams,
  source: RestSource,
  weight_per_minute_max: number,
): RestAnswer | undefined {
  switch (path) {
    case '/api/v3/ping':
      return { weight: 1, body: () => ({}) }
    case '/api/v3/time':
      return { weight: 1, body: () => ({ serverTime: source.nowMs() }) }
    case '/api/v3/exchangeInfo':
      return { weight: 20, body: () => exchangeInfo(query, source, weight_per_minute_max) }
    case '/api/v3/depth':
      return { weight: depthWeight(query), body: () => depth(query, source) }
    case '/api/v3/aggTrades':
      return { weight: 4, body: () => aggTrades(query, source) }
    case '/api/v3/trades':
      return { weight: 25, body: () => newestTrades(query, source).map(bestMatch) }
    case '/api/v3/historicalTrades':
      return { weight: 25, body: () => tradesFrom(query, source).map(bestMatch) }
    case '/api/v3/ticker/24hr':
      return { weight: query.has('symbol') ? 2 : 80, body: () => ticker24h(query, source) }
    default:
      return undefined
  }
}

function depthWeight(query: URLSearchParams): number {
  const limit = Number(query.get('limit') ?? 100)
  if (limit <= 100) return 5
  if (limit <= 500) return 25
  return limit <= 1_000 ? 50 : 250
}

/** A limit above the maximum counts as the maximum. */
function depth(query: URLSearchParams, source: RestSource): unknown {
  const symbol = requireSymbol(query, source)
  const limit = readCount(query, 'limit') ?? 100
  if (limit === 0) throw invalidParameter('limit')
  const snapshot = source.depth(symbol, Math.min(limit, DEPTH_LEVELS_MAX))
  if (snapshot === undefined) throw invalidSymbol()
  const { lastUpdateId, bids, asks } = snapshot
  return { lastUpdateId, bids, asks }
}

/** Unlike USD-M's, spot's history is not limited to 24 hours. */
function aggTrades(query: URLSearchParams, source: RestSource): unknown {
  const symbol = requireSymbol(query, source)
  const rows = source.aggTrades(symbol, aggTradeQuery(query))
  return rows.map(({ a, p, q, f, l, T, m }) => ({ a, p, q, f, l, T, m, M: true }))
}

function bestMatch(row: TradeRow): unknown {
  return { ...row, isBestMatch: true }
}

function exchangeInfo(
  query: URLSearchParams,
  source: RestSource,
  weight_per_minute_max: number,
): unknown {
  const status = query.get('symbolStatus')
  const symbols = source.listings().map(symbolInfo)
  const limit = { limit: weight_per_minute_max }
  return {
    timezone: 'UTC',
    serverTime: source.nowMs(),
    rateLimits: [{ rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, ...limit }],
    exchangeFilters: [],
    symbols: status === null ? symbols : symbols.filter((symbol) => symbol.status === status),
  }
}

function symbolInfo(listing: ListedMarket) {
  const { symbol, base_asset, quote_asset, tick_size, step_size, is_trading } = listing
  const tickSize = eightDigits(tick_size)
  const stepSize = eightDigits(step_size)
  return {
    symbol,
    status: is_trading ? 'TRADING' : 'BREAK',
    baseAsset: base_asset,
    baseAssetPrecision: 8,
    quoteAsset: quote_asset,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    orderTypes: ['LIMIT', 'LIMIT_MAKER', 'MARKET'],
    isSpotTradingAllowed: true,
    filters: [
      { filterType: 'PRICE_FILTER', minPrice: tickSize, maxPrice: '1000000.00000000', tickSize },
      { filterType: 'LOT_SIZE', minQty: stepSize, maxQty: '9000000.00000000', stepSize },
    ],
    permissions: [],
  }
}

function eightDigits(text: string): string {
  return Number(text).toFixed(8)
}
