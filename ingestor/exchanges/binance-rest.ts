/**
 * REST answers that Binance's exchanges share: lists of trades, books, the listing and the 24-hour
 * turnover. The adapters interpret the trades and books.
 */
import { OperatorError } from '#core/errors.ts'
import type { MarketEvent } from '#core/market.ts'
import { isSymbolName, type Instrument } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'
import type { Parsed, ParsedListing, StreamChoice } from './adapter.ts'
import { wantsTrades } from './binance-socket.ts'
import {
  field,
  type Fields,
  isFields,
  orRejected,
  parseJsonText,
  readEach,
  Rejection,
} from './fields.ts'
import { entryStep, entryText, readEntries } from './listing-entries.ts'

/** One element of `symbols` in an exchangeInfo answer: the fields that all exchanges share. */
export interface WireSymbol {
  readonly symbol: string
  readonly status: string // TRADING, PENDING_TRADING, SETTLING, CLOSE, HALT, BREAK ...
  readonly baseAsset: string
  readonly quoteAsset: string
  readonly filters: readonly {
    readonly filterType: string
    readonly tickSize?: string // of PRICE_FILTER
    readonly stepSize?: string // of LOT_SIZE
  }[]
}

/** One element of a ticker/24hr answer. */
interface WireTicker24h {
  readonly symbol: string
  readonly quoteVolume: string // turnover of the last 24 hours, in quote asset
}

/** One element of trades and historicalTrades. */
export interface WireRestTrade {
  readonly id: number // trade id
  readonly price: string
  readonly qty: string
  readonly time: number
  readonly isBuyerMaker: boolean
}

/** How to read an exchange's answers. `symbol` is the symbol in the path. */
export interface RestReaders {
  /** The path before the endpoint: `/fapi/v1/`. */
  readonly prefix: RegExp
  /** Endpoints whose answers give no rows. */
  readonly ignored: ReadonlySet<string>
  snapshot(wire: Fields, symbol: string, ts_ingest: Micros): MarketEvent
  aggTrade(wire: Fields, symbol: string, ts_ingest: Micros): MarketEvent
  trade(wire: Fields, symbol: string, ts_ingest: Micros): MarketEvent
}

/** `path` is the request's path with its query. Only the query names the symbol. */
export function parseAnswer(
  path: string,
  body: string,
  ts_ingest: Micros,
  choice: StreamChoice,
  readers: RestReaders,
): Parsed {
  return orRejected(() => {
    const [way = '', query = ''] = path.split('?', 2)
    const endpoint = readers.prefix.test(way) ? way.replace(readers.prefix, '').split('/')[0]! : ''
    if (readers.ignored.has(endpoint)) return ignored(endpoint)
    const answer = parseJsonText(body)
    if (isFields(answer) && 'code' in answer && 'msg' in answer) return { kind: 'control' }
    const symbol = new URLSearchParams(query).get('symbol') ?? ''
    switch (endpoint) {
      case 'depth':
        if (!choice.channels.includes('depth_events')) return ignored(endpoint)
        return snapshot(answer, symbol, (wire) => readers.snapshot(wire, symbol, ts_ingest))
      case 'aggTrades':
        if (!wantsTrades(choice, 'aggTrade')) return ignored('aggTrade')
        return trades(answer, symbol, (wire) => readers.aggTrade(wire, symbol, ts_ingest))
      case 'trades':
      case 'historicalTrades':
        if (!wantsTrades(choice, 'trade')) return ignored('trade')
        return trades(answer, symbol, (wire) => readers.trade(wire, symbol, ts_ingest))
    }
    throw new Rejection('unknown_shape', `unknown path ${path}`)
  })
}

type Described = Pick<Instrument, 'exchange' | 'instrument_type' | 'may_rest'>

/** Instruments of an exchangeInfo answer. `describe` adds what is specific to the exchange. */
export function parseExchangeInfo(
  body: string,
  describe: (entry: Fields) => Described,
): ParsedListing {
  const symbolsIn = (answer: unknown): unknown => (isFields(answer) ? answer['symbols'] : undefined)
  const name = field<WireSymbol>
  return readEntries(
    parseList(body, 'listing', symbolsIn),
    (entry) => (isFields(entry) ? entry[name('symbol')] : undefined),
    (entry, symbol) => {
      const filters = entry[name('filters')]
      return {
        ...describe(entry),
        symbol,
        base_asset: entryText(entry, name('baseAsset')),
        quote_asset: entryText(entry, name('quoteAsset')),
        is_active: entry[name('status')] === 'TRADING',
        tick_size: entryStep(filterOf(filters, 'PRICE_FILTER'), 'tickSize'),
        step_size: entryStep(filterOf(filters, 'LOT_SIZE'), 'stepSize'),
      }
    },
  )
}

/** Turnover of the last 24 hours in quote asset, by symbol. Unreadable entries are left out. */
export function parseTurnover(body: string): ReadonlyMap<string, number> {
  const name = field<WireTicker24h>
  const turnover = new Map<string, number>()
  for (const entry of parseList(body, 'list of 24-hour tickers')) {
    if (!isFields(entry)) continue
    const symbol = entry[name('symbol')]
    const volume = Number(entry[name('quoteVolume')])
    if (typeof symbol === 'string' && volume >= 0) turnover.set(symbol, volume)
  }
  return turnover
}

function ignored(stream_class: string): Parsed {
  return { kind: 'ignored', stream_class }
}

function snapshot(answer: unknown, symbol: string, read: (wire: Fields) => MarketEvent): Parsed {
  if (!isSymbolName(symbol)) throw new Rejection('bad_symbol', 'the path names no symbol')
  if (!isFields(answer)) throw new Rejection('unknown_shape', 'expected a book')
  return { kind: 'events', events: [read(answer)] }
}

function trades(answer: unknown, symbol: string, readOne: (wire: Fields) => MarketEvent): Parsed {
  if (!isSymbolName(symbol)) throw new Rejection('bad_symbol', 'the path names no symbol')
  if (!Array.isArray(answer)) throw new Rejection('unknown_shape', 'expected a list of trades')
  return readEach(answer, (wire) => [readOne(wire)])
}

function parseList(
  body: string,
  what: string,
  listIn: (answer: unknown) => unknown = (answer) => answer,
): readonly unknown[] {
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch {
    answer = undefined
  }
  const list = listIn(answer)
  if (Array.isArray(list)) return list
  const beginning = JSON.stringify(body.slice(0, 60))
  throw new OperatorError(
    'bad_listing',
    `The exchange's answer is not a ${what}: it begins with ${beginning}.`,
    { hint: 'Check EXCHANGE_REST_URL.', retryable: true },
  )
}

function filterOf(filters: unknown, filter_type: string): Fields | undefined {
  if (!Array.isArray(filters)) return undefined
  return filters.filter(isFields).find((one) => one['filterType'] === filter_type)
}
