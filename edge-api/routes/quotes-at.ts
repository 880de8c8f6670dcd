/**
 * The newest quotes of many symbols, now (GET /v1/quotes/latest) or at a past time
 * (GET /v1/snapshot), and of one symbol at a past time (GET /v1/quotes/{symbol}/at).
 */
import { createRoute } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { HOUR_US, type Micros, micros, SECOND_US, toIso } from '#core/time.ts'
import { cacheFor, cacheLatest, type App, type Deps } from '../deps.ts'
import { jsonRow } from '../formats/table-text.ts'
import { badParameters, Problem } from '../problem.ts'
import type { InstrumentName } from '../queries/quotes-at.ts'
import type { QuoteAt as Found } from '../range/quotes-at.ts'
import {
  exchangeQuery,
  instrumentCursorQuery,
  limitQuery,
  momentQuery,
  query,
  symbolListQuery,
  symbolPath,
} from '../schemas/parameters.ts'
import { QuoteAt, QuoteList } from '../schemas/schemas.ts'
import { listBytes } from '../tables/page-size.ts'
import { quotes } from '../tables/tables.ts'
import { SOURCE } from '../telemetry/request-facts.ts'
import { ageMs } from '../formats/age.ts'
import { json, problems } from './answers.ts'

const LIMIT = 5_000
const ROW_BYTES = 400
const MAX_AGE_S = { standard: 3_600, maximum: 86_400 }
/** The caller's clock may be ahead of ours. */
const CLOCKS_DIFFER_US = 60 * SECOND_US
/** Late rows may change an answer about the past. */
const PAST_S = 10

const CLOCK =
  "The clock is ts_exchange, the exchange's time. Where the exchange gives quotes no time (see " +
  'ts_exchange_source in /v1/symbols), it is the time of arrival here. Among quotes of one time, ' +
  'the one with the largest update_id is the newest.'

const listShape = {
  symbols: symbolListQuery,
  exchange: exchangeQuery.openapi({ description: 'By default every exchange that lists them.' }),
  max_age_s: limitQuery(MAX_AGE_S.maximum, MAX_AGE_S.standard),
  limit: limitQuery(LIMIT, LIMIT),
  cursor: instrumentCursorQuery,
}

const LIST_ANSWERS = { 200: json(QuoteList, 'The quotes.'), ...problems(400, 404, 502, 503) }

export const latestList = createRoute({
  method: 'get',
  path: '/v1/quotes/latest',
  operationId: 'latestQuotes',
  tags: ['market data'],
  summary: 'Newest quotes of many symbols, or of all',
  description: `One query, whatever the number of symbols. ${CLOCK}`,
  request: { query: query(listShape) },
  responses: LIST_ANSWERS,
})

export const snapshot = createRoute({
  method: 'get',
  path: '/v1/snapshot',
  operationId: 'getSnapshot',
  tags: ['market data'],
  summary: 'Quotes of all symbols at a past time',
  description:
    'For each symbol the newest quote with ts_exchange at or before `ts`, at most `max_age_s` ' +
    'older, from the database or the archive. A page that reads many archived files may have ' +
    'fewer rows than `limit`: follow `next`. While the database does not respond, `unavailable` ' +
    `names the instruments whose quote the archive cannot prove. ${CLOCK}`,
  request: { query: query({ ts: momentQuery('Time of the quotes.'), ...listShape }) },
  responses: LIST_ANSWERS,
})

export const at = createRoute({
  method: 'get',
  path: '/v1/quotes/{symbol}/at',
  operationId: 'quoteAt',
  tags: ['market data'],
  summary: 'Quote of a symbol at a past time',
  description:
    'The newest quote with ts_exchange at or before `ts`, from the database or the archive; a ' +
    `404 if none is at most \`max_age_s\` older. ${CLOCK}`,
  request: {
    params: symbolPath,
    query: query({
      ts: momentQuery('Time of the quote.'),
      exchange: exchangeQuery,
      max_age_s: limitQuery(MAX_AGE_S.maximum, MAX_AGE_S.standard),
    }),
  },
  responses: { 200: json(QuoteAt, 'The quote.'), ...problems(400, 404, 502, 503) },
})

interface ListQuery {
  readonly symbols?: readonly string[] | undefined
  readonly exchange?: string | undefined
  readonly max_age_s: number
  readonly limit: number
  readonly cursor?: InstrumentName | undefined
}

export function quoteAtRoutes(app: App, deps: Deps): void {
  const list = async (path: string, asked: ListQuery, ts: Micros, until: Micros) => {
    const { symbols = null, exchange = null, max_age_s, limit, cursor: after = null } = asked
    const from = micros(Math.max(0, ts - max_age_s * SECOND_US))
    const page = await deps.quotesAt({ exchange, symbols, from, at: until, after, limit })
    if (symbols !== null && after === null && page.next === null) {
      requireKnown(symbols, exchange, page.found)
    }
    const rows = page.found.flatMap((one) => (one.quote === undefined ? [] : [answerOf(one, ts)]))
    const unavailable = page.found.filter((one) => one.is_unavailable === true)
    const missing = page.found.filter((one) => one.quote === undefined && !one.is_unavailable)
    const body = {
      ts: toIso(ts),
      max_age_s,
      row_count: rows.length,
      next: page.next && nextOf(path, asked, page.next),
      rows,
      missing: symbols === null ? [] : missing.map(nameOf),
      unavailable: unavailable.map(nameOf),
    }
    return { body, source: page.source }
  }

  app.openapi(latestList, async (c) => {
    const asked = c.req.valid('query')
    const now = deps.now()
    return deps.memory.run(listBytes(asked.limit, ROW_BYTES), async () => {
      // An exchange's clock may be ahead of ours.
      const { body, source } = await list(c.req.path, asked, now, micros(now + HOUR_US))
      ;(c as Context).set(SOURCE, source)
      cacheLatest(c)
      return c.json(body, 200)
    })
  })

  app.openapi(snapshot, async (c) => {
    const asked = c.req.valid('query')
    const { ts } = asked
    requirePast(ts, deps.now())
    return deps.memory.run(listBytes(asked.limit, ROW_BYTES), async () => {
      const path = `${c.req.path}?ts=${toIso(ts)}`
      const { body, source } = await list(path, asked, ts, ts)
      ;(c as Context).set(SOURCE, source)
      cacheFor(c, body.unavailable.length > 0 ? 0 : PAST_S)
      return c.json(body, 200)
    })
  })

  app.openapi(at, async (c) => {
    const { symbol } = c.req.valid('param')
    const { ts, exchange: wanted = null, max_age_s } = c.req.valid('query')
    requirePast(ts, deps.now())
    const { exchange } = await deps.findArchived(symbol, wanted)
    const from = micros(Math.max(0, ts - max_age_s * SECOND_US))
    const one = { exchange, symbols: [symbol], from, at: ts, after: null, limit: 1 }
    const { found, source } = await deps.quotesAt(one)
    if (found[0]?.quote === undefined) throw noQuote(symbol, ts, max_age_s)
    ;(c as Context).set(SOURCE, source)
    cacheFor(c, PAST_S)
    return c.json(answerOf(found[0], ts), 200)
  })
}

function nameOf({ exchange, symbol }: InstrumentName): InstrumentName {
  return { exchange, symbol }
}

function answerOf(one: Found, ts: Micros) {
  const row = one.quote!
  const age_ms = ageMs(row['ts_exchange'] as Micros, ts)
  return { ...nameOf(one), age_ms, ...jsonRow(row, quotes.columns, one) }
}

/** `path` may have parameters already. */
function nextOf(path: string, asked: ListQuery, { exchange, symbol }: InstrumentName): string {
  const search = new URLSearchParams()
  const { symbols, exchange: wanted, max_age_s, limit } = asked
  if (symbols !== undefined) search.set('symbols', symbols.join(','))
  if (wanted !== undefined) search.set('exchange', wanted)
  search.set('max_age_s', String(max_age_s))
  search.set('limit', String(limit))
  search.set('cursor', `${exchange}:${symbol}`)
  return `${path}${path.includes('?') ? '&' : '?'}${search}`
}

function requirePast(ts: Micros, now: Micros): void {
  if (ts <= now + CLOCKS_DIFFER_US) return
  throw badParameters([
    { parameter: 'ts', found: toIso(ts), allowed: `at or before now (${toIso(now)})` },
  ])
}

function requireKnown(
  symbols: readonly string[],
  exchange: string | null,
  found: readonly InstrumentName[],
): void {
  const unknown = symbols.filter((name) => !found.some(({ symbol }) => symbol === name))
  if (unknown.length === 0) return
  const where = exchange === null ? '' : ` on ${exchange}`
  throw new Problem(
    404,
    'unknown_symbol',
    'A symbol is unknown.',
    `${unknown.join(', ')} ${unknown.length === 1 ? 'is' : 'are'} not recorded${where}. Names are ` +
      'case-sensitive and spelled as on the exchange. /v1/symbols lists them, /v1/search finds them.',
  )
}

function noQuote(symbol: string, ts: Micros, max_age_s: number): Problem {
  return new Problem(
    404,
    'no_quote',
    'No quote was found.',
    `No quote of ${symbol} was recorded in the ${max_age_s} seconds before ${toIso(ts)}. ` +
      `max_age_s can be up to ${MAX_AGE_S.maximum}.`,
  )
}
