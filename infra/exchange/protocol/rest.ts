/**
 * Binance USD-M's REST market data: parameters, weights, error bodies and response shapes. The
 * source supplies the data.
 */
import type { ListedMarket, RestSource } from '../source.ts'
import { invalidSymbol, RestError } from './rest-errors.ts'
import {
  aggTradeQuery,
  newestTrades,
  requireSymbol,
  ticker24h,
  tradesFrom,
} from './rest-queries.ts'

export interface RestAnswer {
  readonly weight: number
  /** Called after the weight is spent. Throws a RestError for bad parameters. */
  body(): unknown
}

const HOUR_MS = 3_600_000
const HISTORY_MS = 24 * HOUR_MS
const DEPTH_WEIGHTS: ReadonlyMap<number, number> = new Map([
  [5, 2],
  [10, 2],
  [20, 2],
  [50, 2],
  [100, 5],
  [500, 10],
  [1_000, 20],
])

/** Undefined if the path does not exist. */
export function answerRest(
  path: string,
  query: URLSearchParams,
  source: RestSource,
  weight_per_minute_max: number,
): RestAnswer | undefined {
  switch (path) {
    case '/fapi/v1/ping':
      return { weight: 1, body: () => ({}) }
    case '/fapi/v1/time':
      return { weight: 1, body: () => ({ serverTime: source.nowMs() }) }
    case '/fapi/v1/exchangeInfo':
      return { weight: 1, body: () => exchangeInfo(source, weight_per_minute_max) }
    case '/fapi/v1/depth': {
      const limit = Number(query.get('limit') ?? 500)
      return { weight: DEPTH_WEIGHTS.get(limit) ?? 1, body: () => depth(query, source, limit) }
    }
    case '/fapi/v1/aggTrades':
      return { weight: 20, body: () => aggTrades(query, source) }
    case '/fapi/v1/trades':
      return { weight: 5, body: () => newestTrades(query, source) }
    case '/fapi/v1/historicalTrades':
      return { weight: 20, body: () => tradesFrom(query, source) }
    case '/fapi/v1/ticker/24hr':
      return { weight: query.has('symbol') ? 1 : 40, body: () => ticker24h(query, source) }
    case '/fapi/v1/premiumIndex':
      return { weight: query.has('symbol') ? 1 : 10, body: () => premiumIndex(query, source) }
    default:
      return undefined
  }
}

function depth(query: URLSearchParams, source: RestSource, limit: number): unknown {
  const symbol = requireSymbol(query, source)
  if (!DEPTH_WEIGHTS.has(limit)) {
    throw new RestError(-4021, `${query.get('limit')} is not valid depth limit.`)
  }
  const snapshot = source.depth(symbol, limit)
  if (snapshot === undefined) throw invalidSymbol()
  return snapshot
}

function aggTrades(query: URLSearchParams, source: RestSource): unknown {
  const symbol = requireSymbol(query, source)
  const wanted = aggTradeQuery(query)
  const { from_ms, to_ms } = wanted
  if (from_ms !== undefined && to_ms !== undefined && to_ms - from_ms >= HOUR_MS) {
    throw new RestError(-1127, 'More than 1 hours between startTime and endTime.')
  }
  const rows = source.aggTrades(symbol, wanted)
  // Since 2026 the exchange serves only the last 24 hours.
  const oldest_ms = source.nowMs() - HISTORY_MS
  return rows.filter((row) => row.T >= oldest_ms)
}

function premiumIndex(query: URLSearchParams, source: RestSource): unknown {
  if (query.has('symbol')) {
    const row = source.premiumIndex(requireSymbol(query, source))
    if (row === undefined) throw invalidSymbol()
    return row
  }
  return source.listings().flatMap(({ symbol }) => source.premiumIndex(symbol) ?? [])
}

function exchangeInfo(source: RestSource, weight_per_minute_max: number): unknown {
  return {
    timezone: 'UTC',
    serverTime: source.nowMs(),
    futuresType: 'U_MARGINED',
    rateLimits: [
      {
        rateLimitType: 'REQUEST_WEIGHT',
        interval: 'MINUTE',
        intervalNum: 1,
        limit: weight_per_minute_max,
      },
    ],
    exchangeFilters: [],
    assets: [],
    symbols: source.listings().map(symbolInfo),
  }
}

function symbolInfo(listing: ListedMarket): unknown {
  const { symbol, tick_size, step_size, is_trading } = listing
  return {
    symbol,
    pair: symbol,
    contractType: 'PERPETUAL',
    deliveryDate: 4_133_404_800_000,
    onboardDate: 1_569_398_400_000,
    status: is_trading ? 'TRADING' : 'SETTLING',
    baseAsset: listing.base_asset,
    quoteAsset: listing.quote_asset,
    marginAsset: listing.quote_asset,
    pricePrecision: listing.price_decimals,
    quantityPrecision: listing.qty_decimals,
    baseAssetPrecision: 8,
    quotePrecision: 8,
    underlyingType: 'COIN',
    filters: [
      {
        filterType: 'PRICE_FILTER',
        minPrice: tick_size,
        maxPrice: '10000000',
        tickSize: tick_size,
      },
      { filterType: 'LOT_SIZE', minQty: step_size, maxQty: '10000000', stepSize: step_size },
      { filterType: 'MARKET_LOT_SIZE', minQty: step_size, maxQty: '10000000', stepSize: step_size },
    ],
    orderTypes: ['LIMIT', 'MARKET'],
    timeInForce: ['GTC', 'IOC', 'FOK', 'GTX'],
  }
}
