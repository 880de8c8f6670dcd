/** Parses REST answers of Bybit: the paged listing and the 24-hour turnover. */
import { OperatorError } from '#core/errors.ts'
import type { Instrument } from '#core/symbols.ts'
import type { Parsed, ParsedListing } from '../adapter.ts'
import { field, type Fields, isFields, orRejected, parseJsonText, Rejection } from '../fields.ts'
import { entryStep, entryText, readEntries } from '../listing-entries.ts'
import { EXCHANGE } from './topics.ts'
import type { WireInstrument, WireInstruments, WireRest, WireTicker24h } from './wire.ts'

/** Without a status filter the exchange lists only what is traded. 1,000 is the largest page. */
export const INSTRUMENTS_PATH = '/v5/market/instruments-info?category=linear&limit=1000'
export const TURNOVER_PATH = '/v5/market/tickers?category=linear'

const MARKET_PREFIX = '/v5/market/'

/** No answer gives rows: snapshots arrive in streams, and trades are not refilled. */
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

/** The path of the next page; undefined if this is the last page, or not a page. */
export function nextInstrumentsPath(body: string): string | undefined {
  const cursor = resultOf(parseQuietly(body))?.[field<WireInstruments>('nextPageCursor')]
  if (typeof cursor !== 'string' || cursor === '') return undefined
  return `${INSTRUMENTS_PATH}&cursor=${encodeURIComponent(cursor)}`
}

/** Instruments of one page, or of a list of pages. */
export function parseInstruments(body: string): ParsedListing {
  const answer = parseQuietly(body)
  const pages: readonly unknown[] = Array.isArray(answer) ? answer : [answer]
  if (pages.length === 0) throw badListing(body)
  return readEntries(
    pages.flatMap((page) => listOf(page, body)),
    (entry) => (isFields(entry) ? entry[field<WireInstrument>('symbol')] : undefined),
    readInstrument,
  )
}

/** Turnover of the last 24 hours in quote asset, by symbol. Unreadable entries are left out. */
export function parseTurnover(body: string): ReadonlyMap<string, number> {
  const name = field<WireTicker24h>
  return new Map(
    listOf(parseQuietly(body), body).flatMap((entry) => {
      if (!isFields(entry)) return []
      const symbol = entry[name('symbol')]
      const turnover = Number(entry[name('turnover24h')])
      return typeof symbol === 'string' && turnover >= 0 ? [[symbol, turnover] as const] : []
    }),
  )
}

/** Symbol types whose underlying is traded in sessions. */
const WITH_SESSIONS: ReadonlySet<string> = new Set([
  'stock',
  'commodity',
  'forex',
  'etf',
  'xstocks',
  'mstocks',
])

function readInstrument(entry: Fields, symbol: string): Instrument {
  const name = field<WireInstrument>
  const contract_type = entryText(entry, name('contractType'))
  return {
    exchange: EXCHANGE,
    symbol,
    instrument_type: contract_type === 'LinearPerpetual' ? 'perp' : 'future',
    base_asset: entryText(entry, name('baseCoin')),
    quote_asset: entryText(entry, name('quoteCoin')),
    is_active: entry[name('status')] === 'Trading',
    ...(WITH_SESSIONS.has(String(entry[name('symbolType')])) ? { may_rest: true } : {}),
    tick_size: entryStep(entry[name('priceFilter')], 'tickSize'),
    step_size: entryStep(entry[name('lotSizeFilter')], 'qtyStep'),
  }
}

function listOf(page: unknown, body: string): readonly unknown[] {
  const list = resultOf(page)?.[field<WireInstruments>('list')]
  if (Array.isArray(list)) return list
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
    `The exchange's answer is not a list of contracts: it begins with ${beginning}.`,
    { hint: 'Check EXCHANGE_REST_URL.', retryable: true },
  )
}
