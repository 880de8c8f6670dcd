/** REST queries with the same parameters on Binance USD-M and spot. */
import type { RestSource, Ticker24hRow, TradeQuery, TradeRow } from '../source.ts'
import { invalidParameter, invalidSymbol, missingParameter, RestError } from './rest-errors.ts'

const ANY_TIME: Pick<TradeQuery, 'from_ms' | 'to_ms'> = { from_ms: undefined, to_ms: undefined }

/** By id or by time; throws a RestError if both are given. */
export function aggTradeQuery(query: URLSearchParams): TradeQuery {
  const from_id = readCount(query, 'fromId')
  const from_ms = readCount(query, 'startTime')
  const to_ms = readCount(query, 'endTime')
  if (from_id !== undefined && (from_ms !== undefined || to_ms !== undefined)) {
    throw new RestError(-1128, 'Combination of optional parameters invalid.')
  }
  if (from_ms !== undefined && to_ms !== undefined && from_ms > to_ms) {
    throw new RestError(-1023, 'Start time is greater than end time.')
  }
  return { from_id, from_ms, to_ms, limit: readLimit(query) }
}

export function newestTrades(query: URLSearchParams, source: RestSource): readonly TradeRow[] {
  const symbol = requireSymbol(query, source)
  return source.trades(symbol, { ...ANY_TIME, from_id: undefined, limit: readLimit(query) })
}

export function tradesFrom(query: URLSearchParams, source: RestSource): readonly TradeRow[] {
  const symbol = requireSymbol(query, source)
  const from_id = readCount(query, 'fromId')
  return source.trades(symbol, { ...ANY_TIME, from_id, limit: readLimit(query) })
}

export function ticker24h(
  query: URLSearchParams,
  source: RestSource,
): Ticker24hRow | readonly Ticker24hRow[] {
  if (query.has('symbol')) {
    const row = source.ticker24h(requireSymbol(query, source))
    if (row === undefined) throw invalidSymbol()
    return row
  }
  return source.listings().flatMap(({ symbol }) => source.ticker24h(symbol) ?? [])
}

export function requireSymbol(query: URLSearchParams, source: RestSource): string {
  const symbol = query.get('symbol')
  if (symbol === null || symbol === '') throw missingParameter('symbol')
  if (!source.listings().some((listing) => listing.symbol === symbol)) throw invalidSymbol()
  return symbol
}

function readLimit(query: URLSearchParams): number {
  const limit = readCount(query, 'limit') ?? 500
  if (limit < 1 || limit > 1_000) throw invalidParameter('limit')
  return limit
}

export function readCount(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw invalidParameter(name)
  return value
}
