/** REST answers of Bybit: the listing, which comes in pages, and the turnover of a day. */
import { OperatorError } from '#core/errors.ts'
import { isSymbolName, type Instrument } from '#core/symbols.ts'
import type { Parsed } from '../adapter.ts'
import {
  field,
  type Fields,
  isFields,
  orRejected,
  parseJsonText,
  positiveField,
  Rejection,
} from '../fields.ts'
import { EXCHANGE } from './topics.ts'
import type { WireInstrument, WireInstruments, WireRest, WireTicker24h } from './wire.ts'

/** Without a status the exchange leaves out what is not traded; 1,000 is the largest page. */
export const INSTRUMENTS_PATH = '/v5/market/instruments-info?category=linear&limit=1000'
export const TURNOVER_PATH = '/v5/market/tickers?category=linear'

const MARKET_PREFIX = '/v5/market/'

/** No answer of this exchange makes rows: books come with streams, trades are not refilled. */
export function parseRest(path: string, body: string): Parsed {
  return orRejected(() => {
    if (!path.startsWith(MARKET_PREFIX)) {
      throw new Rejection('unknown_shape', `unknown path ${path}`)
    }
    const answer = parseJsonText(body)
    const code = isFields(answer) ? answer[field<WireRest>('retCode')] : undefined
    if (typeof code !== 'number') throw new Rejection('unknown_shape', 'no retCode')
    if (code !== 0) return { kind: 'control' }
    return { kind: 'ignored', stream_class: path.slice(MARKET_PREFIX.length).split('?', 1)[0]! }
  })
}

/** The path of the page after this one; undefined where it is the last, or no page at all. */
export function nextInstrumentsPath(body: string): string | undefined {
  const cursor = resultOf(parseQuietly(body))?.[field<WireInstruments>('nextPageCursor')]
  if (typeof cursor !== 'string' || cursor === '') return undefined
  return `${INSTRUMENTS_PATH}&cursor=${encodeURIComponent(cursor)}`
}

/**
 * Instruments of one page, or of a list of pages. Dated contracts have names that cannot be symbols
 * here (BTC-26DEC25) and are left out, as is an entry that cannot be used.
 */
export function parseInstruments(body: string): readonly Instrument[] {
  const answer = parseQuietly(body)
  const pages: readonly unknown[] = Array.isArray(answer) ? answer : [answer]
  if (pages.length === 0) throw badListing(body)
  return pages.flatMap((page) => listOf(page, body)).flatMap((entry) => readInstrument(entry) ?? [])
}

/** Turnover of the last 24 hours in quote asset, by symbol; what cannot be read is left out. */
export function parseTurnover(body: string): ReadonlyMap<string, number> {
  const name = field<WireTicker24h>
  return new Map(
    listOf(parseQuietly(body), body).flatMap((entry) => {
      const symbol = entry[name('symbol')]
      const turnover = Number(entry[name('turnover24h')])
      return typeof symbol === 'string' && turnover >= 0 ? [[symbol, turnover] as const] : []
    }),
  )
}

/** Kinds of symbols whose underlying is traded in sessions. */
const WITH_SESSIONS: ReadonlySet<string> = new Set([
  'stock', 'commodity', 'forex', 'etf', 'xstocks', 'mstocks',
])

function readInstrument(entry: Fields): Instrument | undefined {
  const wire = entry as Partial<Record<keyof WireInstrument, unknown>>
  const { symbol, contractType, status, baseCoin, quoteCoin } = wire
  const tick_size = stepOf(wire.priceFilter, 'tickSize')
  const step_size = stepOf(wire.lotSizeFilter, 'qtyStep')
  if (typeof symbol !== 'string' || !isSymbolName(symbol)) return undefined
  if (typeof baseCoin !== 'string' || typeof quoteCoin !== 'string') return undefined
  if (typeof contractType !== 'string' || tick_size === undefined || step_size === undefined) {
    return undefined
  }
  return {
    exchange: EXCHANGE,
    symbol,
    instrument_type: contractType === 'LinearPerpetual' ? 'perp' : 'future',
    base_asset: baseCoin,
    quote_asset: quoteCoin,
    is_active: status === 'Trading',
    ...(WITH_SESSIONS.has(String(wire.symbolType)) ? { may_rest: true } : {}),
    tick_size,
    step_size,
  }
}

function stepOf(filter: unknown, name: string): number | undefined {
  if (!isFields(filter)) return undefined
  try {
    return positiveField(filter, name)
  } catch (error) {
    if (error instanceof Rejection) return undefined
    throw error
  }
}

function listOf(page: unknown, body: string): readonly Fields[] {
  const list = resultOf(page)?.[field<WireInstruments>('list')]
  if (Array.isArray(list)) return list.filter(isFields)
  throw badListing(body)
}

function resultOf(answer: unknown): Fields | undefined {
  const result = isFields(answer) ? answer[field<WireRest>('result')] : undefined
  return isFields(result) ? result : undefined
}

function parseQuietly(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function badListing(body: string): OperatorError {
  const beginning = JSON.stringify(body.slice(0, 60))
  return new OperatorError(
    'bad_listing',
    `The exchange's answer is no list of contracts: it begins with ${beginning}.`,
    { hint: 'Check EXCHANGE_REST_URL.', retryable: true },
  )
}
