/** REST answers of Binance spot as the events that the live streams give, and its listing. */
import type { ParsedListing } from '../adapter.ts'
import { parseExchangeInfo, type RestReaders } from '../binance-rest.ts'
import { EXCHANGE, readAggTrade, readBook, readRestTrade, type ReadTime } from './payloads.ts'

/**
 * Those that are traded: a symbol that is left out counts as inactive. The permission sets alone
 * would make the answer several times as long.
 */
export const INSTRUMENTS_PATH = '/api/v3/exchangeInfo?symbolStatus=TRADING&showPermissionSets=false'

export function restReaders(readTime: ReadTime): RestReaders {
  return {
    // v3 since 2019; recordings hold answers of v1, which are the same.
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
