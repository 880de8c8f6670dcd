/** Parses REST answers of Binance USD-M into the events of the live streams, and its listing. */
import type { Trade, VoidTrade } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { Parsed, ParsedListing, StreamChoice } from '../adapter.ts'
import {
  parseAnswer,
  parseExchangeInfo,
  type RestReaders,
  type WireRestTrade,
} from '../binance-rest.ts'
import { field, type Fields, flagField, idField, timeField } from '../fields.ts'
import { entryText } from '../listing-entries.ts'
import { isMarkedVoid, tradeAmounts } from '../void-trade.ts'
import { readSnapshot } from './derivatives.ts'
import { EXCHANGE } from './letters.ts'
import { readAggTrade, tradeEvent, voidTrade } from './parse.ts'
import type { WireSymbol } from './wire.ts'

export const INSTRUMENTS_PATH = '/fapi/v1/exchangeInfo'

const READERS: RestReaders = {
  prefix: /^\/fapi\/v\d\//,
  ignored: new Set([
    'exchangeInfo',
    'time',
    'ping',
    'premiumIndex',
    'fundingRate',
    'openInterest',
    'klines',
    'ticker',
  ]),
  snapshot: readSnapshot,
  aggTrade: readAggTrade,
  trade: readRestTrade,
}

export function parseRest(
  path: string,
  body: string,
  ts_ingest: Micros,
  choice: StreamChoice,
): Parsed {
  return parseAnswer(path, body, ts_ingest, choice, READERS)
}

export function parseInstruments(body: string): ParsedListing {
  return parseExchangeInfo(body, (entry) => {
    const contract_type = entryText(entry, field<WireSymbol>('contractType'))
    const instrument_type = contract_type.endsWith('PERPETUAL') ? 'perp' : 'future'
    const rest = contract_type.startsWith('TRADIFI_') ? { may_rest: true } : {}
    return { exchange: EXCHANGE, instrument_type, ...rest }
  })
}

/** The same event as from the raw trade stream, which has neither an RPI share nor fill ids. */
function readRestTrade(wire: Fields, symbol: string, ts_ingest: Micros): Trade | VoidTrade {
  const name = field<WireRestTrade>
  const identity = {
    symbol,
    ts_exchange: timeField(wire, name('time')),
    ts_ingest,
    agg_trade_id: idField(wire, name('id')),
  }
  const amounts = tradeAmounts(wire, name('price'), name('qty'), isMarkedVoid(wire))
  if (amounts === undefined) return voidTrade(identity)
  return tradeEvent({
    ...identity,
    ...amounts,
    non_rpi_qty: null,
    first_trade_id: null,
    last_trade_id: null,
    is_buyer_maker: flagField(wire, name('isBuyerMaker')),
  })
}
