/**
 * The newest quote of an instrument as the edge sends it: GET /newest-quote answers with the bytes
 * of the JSON and their tag, so that the edge neither parses nor writes any. Equal requests that
 * come while one is running share its statement. Only the current hour is read, because a file of
 * the archive may have a newer quote than an older hour.
 *
 * With `in=head` the JSON is a header: then the answer is complete when its head is, and costs
 * the edge no stream. The edge asks for it, because one of an earlier version knows only the body.
 */
import type { ServerResponse } from 'node:http'
import { OperatorError } from '#core/errors.ts'
import { isExchange, isSymbolName, SYMBOL_RULE } from '#core/symbols.ts'
import { hourStart, micros, SECOND_US, type Micros } from '#core/time.ts'
import { entityTag } from '../cache/entity-tag.ts'
import { newestQuoteBody, type QuotedInstrument } from '../formats/newest-quote.ts'
import type { Database } from '../queries/database.ts'
import { QUOTE_HEADER } from '../queries/gateway-quote.ts'
import { selectRecentQuote } from '../queries/latest-quote.ts'

export interface TaggedBody {
  readonly body: Uint8Array<ArrayBuffer>
  readonly etag: string
  readonly in_head: boolean
}

/** `query`: of the URL, without its question mark. Undefined if the hour has no quote. */
export type FindNewestQuote = (query: string) => Promise<TaggedBody | undefined>

export function createNewestQuotes(db: Database, now: () => Micros): FindNewestQuote {
  const running = new Map<string, Promise<TaggedBody | undefined>>()
  const find: FindNewestQuote = async (query) => {
    const { symbol_id, instrument, max_age_s, in_head } = parseWanted(new URLSearchParams(query))
    const at = now()
    const oldest = max_age_s === undefined ? 0 : at - max_age_s * SECOND_US
    const from = micros(Math.max(oldest, hourStart(at)))
    const row = await selectRecentQuote(db, symbol_id, at, from)
    if (row === undefined) return undefined
    const body = newestQuoteBody(instrument, row, at, max_age_s)
    return { body, etag: await entityTag('', body), in_head }
  }
  return (query) => {
    const known = running.get(query)
    if (known !== undefined) return known
    const found = find(query).finally(() => running.delete(query))
    running.set(query, found)
    return found
  }
}

/** A header is ASCII: a quote with other letters, as in a symbol's name, stays in the body. */
const PRINTABLE = /^[\x20-\x7e]*$/

export function sendNewestQuote(
  response: ServerResponse,
  { body, etag, in_head }: TaggedBody,
): void {
  const common = { 'cache-control': 'no-store', etag }
  const text = in_head ? Buffer.from(body.buffer).toString('latin1') : undefined
  if (text !== undefined && PRINTABLE.test(text)) {
    response.writeHead(200, { ...common, 'content-length': 0, [QUOTE_HEADER]: text }).end()
    return
  }
  const type = { 'content-type': 'application/json', 'content-length': body.byteLength }
  response.writeHead(200, { ...common, ...type }).end(body)
}

interface Wanted {
  readonly symbol_id: number
  readonly instrument: QuotedInstrument
  readonly max_age_s: number | undefined
  readonly in_head: boolean
}

function parseWanted(query: URLSearchParams): Wanted {
  const textOf = (name: string, rule: string, isValid: (text: string) => boolean): string => {
    const [value, ...others] = query.getAll(name)
    if (value !== undefined && others.length === 0 && isValid(value)) return value
    throw new OperatorError('bad_request', `${name} must be given once: ${rule}.`)
  }
  /** Undefined if the parameter is missing. */
  const numberOf = (name: string, min: number, max: number): number | undefined => {
    if (!query.has(name)) return undefined
    const rule = `a whole number from ${min} to ${max}`
    const isValid = (text: string): boolean =>
      /^\d{1,16}$/.test(text) && Number(text) >= min && Number(text) <= max
    return Number(textOf(name, rule, isValid))
  }
  const symbol_id = numberOf('symbol_id', 1, Number.MAX_SAFE_INTEGER)
  if (symbol_id === undefined) throw new OperatorError('bad_request', 'symbol_id is missing.')
  return {
    symbol_id,
    instrument: {
      exchange: textOf('exchange', 'an exchange that booktape records', isExchange),
      symbol: textOf('symbol', SYMBOL_RULE, isSymbolName),
      price_decimals: numberOf('price_decimals', 0, 100) ?? null,
      qty_decimals: numberOf('qty_decimals', 0, 100) ?? null,
    },
    max_age_s: numberOf('max_age_s', 1, 86_400),
    in_head: query.has('in') && textOf('in', 'head', (text) => text === 'head') === 'head',
  }
}
