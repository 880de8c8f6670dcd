/** Parses REST answers of Binance spot into the events of the live streams, and its listing. */
import type { ParsedListing } from '../adapter.ts'
import { parseExchangeInfo, type RestReaders } from '../binance-rest.ts'
import { EXCHANGE, readAggTrade, readBook, readRestTrade, type ReadTime } from './payloads.ts'

/**
 * Lists only traded symbols; a symbol that is left out counts as inactive. With the permission sets
 * the answer would be several times as long.
 */
export const INSTRUMENTS_PATH = '/api/v3/exchangeInfo?symbolStatus=TRADING&showPermissionSets=false'

export function restReaders(readTime: ReadTime): RestReaders {
  return {
    // v3 since 2019. Recordings hold answers of v1, which have the same form.
    prefix: /^\/api\/v\d\//,
    ignored: new Set(['exchangeInfo', 'time', 'ping', 'klines', 'uiKlines', 'avgPrice', 'ticker']),
    snapshot: (wire, symbol, ts_ingest) => readBook(wire, symbol, 'snapshot', ts_ingest),
    aggTrade: (wire, symbol, ts_ingest) => readAggTrade(wire, symbol, ts_ingest, readTime),
    trade: (wire, symbol, ts_ingest) => readRestTrade(wire, symbol, ts_ingest, readTime),
  }
}

export function parseInstruments(body: string): ParsedListing {
  return parseExchangeInfo(body, () => ({ exchange: EXCHANGE, instrument_type: 'spot' }))
}
