/** REST answers of Binance USD-M: trades into the events the live stream gives, and the listing. */
import type { Trade } from '#core/market.ts'
import { OperatorError } from '#core/errors.ts'
import { isSymbolName, type Instrument } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'
import type { Parsed, StreamChoice } from '../adapter.ts'
import {
  flagField,
  idField,
  isFields,
  orRejected,
  parseJsonText,
  positiveField,
  Rejection,
  timeField,
  type Fields,
} from '../fields.ts'
import { EXCHANGE, field, readAggTrade, tradeEvent, wantsTrades } from './parse.ts'
import type { WireRestTrade, WireSymbol } from './wire.ts'

export const INSTRUMENTS_PATH = '/fapi/v1/exchangeInfo'

/** Answers that make no row; depth snapshots and listings stand on the tape for other readers. */
const IGNORED_ENDPOINTS = new Set([
  'depth',
  'exchangeInfo',
  'time',
  'ping',
  'premiumIndex',
  'fundingRate',
  'openInterest',
  'klines',
  'ticker',
])

/** `path` is the request's path with its query, which alone names the symbol. */
export function parseRest(
  path: string,
  body: string,
  ts_ingest: Micros,
  choice: StreamChoice,
): Parsed {
  return orRejected(() => {
    const question = path.indexOf('?')
    const endpoint = /^\/fapi\/v\d\/(\w+)/.exec(path)?.[1] ?? ''
    if (IGNORED_ENDPOINTS.has(endpoint)) return { kind: 'ignored', stream_class: endpoint }
    const answer = parseJsonText(body)
    if (isFields(answer) && 'code' in answer && 'msg' in answer) return { kind: 'control' }
    const symbol = new URLSearchParams(question < 0 ? '' : path.slice(question)).get('symbol') ?? ''
    switch (endpoint) {
      case 'aggTrades':
        if (!wantsTrades(choice, 'aggTrade')) return { kind: 'ignored', stream_class: 'aggTrade' }
        return trades(answer, symbol, (wire) => readAggTrade(wire, symbol, ts_ingest))
      case 'trades':
      case 'historicalTrades':
        if (!wantsTrades(choice, 'trade')) return { kind: 'ignored', stream_class: 'trade' }
        return trades(answer, symbol, (wire) => readRestTrade(wire, symbol, ts_ingest))
    }
    throw new Rejection('unknown_shape', `unknown path ${path}`)
  })
}

/**
 * Instruments of an exchangeInfo answer. An entry that cannot be used (no tick size, a name that
 * is none) is left out, so that one odd listing does not stop the recording of the others.
 */
export function parseInstruments(body: string): readonly Instrument[] {
  const listing = parseListing(body)
  const instruments: Instrument[] = []
  for (const entry of listing) {
    const instrument = isFields(entry) ? readInstrument(entry) : undefined
    if (instrument !== undefined) instruments.push(instrument)
  }
  return instruments
}

function trades(answer: unknown, symbol: string, readOne: (wire: Fields) => Trade): Parsed {
  if (!isSymbolName(symbol)) throw new Rejection('bad_symbol', 'the path names no symbol')
  if (!Array.isArray(answer)) throw new Rejection('unknown_shape', 'expected a list of trades')
  const events = answer.map((wire: unknown) => {
    if (!isFields(wire)) throw new Rejection('unknown_shape', 'expected a list of objects')
    return readOne(wire)
  })
  return { kind: 'events', events }
}

/** What the raw trade stream would have brought: it names neither RPI share nor fill ids. */
function readRestTrade(wire: Fields, symbol: string, ts_ingest: Micros): Trade {
  const name = field<WireRestTrade>
  return tradeEvent({
    symbol,
    ts_exchange: timeField(wire, name('time')),
    ts_ingest,
    agg_trade_id: idField(wire, name('id')),
    price: positiveField(wire, name('price')),
    qty: positiveField(wire, name('qty')),
    non_rpi_qty: null,
    first_trade_id: null,
    last_trade_id: null,
    is_buyer_maker: flagField(wire, name('isBuyerMaker')),
  })
}

function parseListing(body: string): readonly unknown[] {
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch {
    answer = undefined
  }
  const symbols = isFields(answer) ? answer['symbols'] : undefined
  if (Array.isArray(symbols)) return symbols
  const beginning = JSON.stringify(body.slice(0, 60))
  throw new OperatorError(
    'bad_listing',
    `The answer to ${INSTRUMENTS_PATH} is no listing: it begins with ${beginning}.`,
    {
      hint: 'Check EXCHANGE_REST_URL; a listing is a JSON object with a list "symbols".',
      retryable: true,
    },
  )
}

function readInstrument(entry: Fields): Instrument | undefined {
  const wire = entry as Partial<Record<keyof WireSymbol, unknown>>
  const { symbol, contractType, status, baseAsset, quoteAsset } = wire
  const tick_size = stepOf(wire.filters, 'PRICE_FILTER', 'tickSize')
  const step_size = stepOf(wire.filters, 'LOT_SIZE', 'stepSize')
  if (typeof symbol !== 'string' || !isSymbolName(symbol)) return undefined
  if (typeof baseAsset !== 'string' || typeof quoteAsset !== 'string') return undefined
  if (typeof contractType !== 'string' || tick_size === undefined || step_size === undefined) {
    return undefined
  }
  return {
    exchange: EXCHANGE,
    symbol,
    instrument_type: contractType.endsWith('PERPETUAL') ? 'perp' : 'future',
    base_asset: baseAsset,
    quote_asset: quoteAsset,
    is_active: status === 'TRADING',
    tick_size,
    step_size,
  }
}

function stepOf(filters: unknown, filter_type: string, name: string): number | undefined {
  if (!Array.isArray(filters)) return undefined
  const filter = filters.filter(isFields).find((one) => one['filterType'] === filter_type)
  if (filter === undefined) return undefined
  try {
    return positiveField(filter, name)
  } catch (error) {
    if (error instanceof Rejection) return undefined
    throw error
  }
}
