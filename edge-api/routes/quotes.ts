/** GET /v1/quotes/{symbol} and its newest: best bid and offer after every change of the book. */
import { createRoute } from '@hono/zod-openapi'
import { SECOND_US, toIso } from '#core/time.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { exchangeQuery, query, rangeShape, resolveRange, symbolPath } from '../parameters.ts'
import { Problem } from '../problem.ts'
import { LatestQuote, QuotePage } from '../schemas.ts'
import { ageMs } from './age.ts'
import { json, problems } from './answers.ts'
import { nextPath, quoteJson, splitPage } from './rows.ts'

export const DEFAULT_SPAN_US = 300 * SECOND_US

const latest = createRoute({
  method: 'get',
  path: '/v1/quotes/{symbol}/latest',
  operationId: 'latestQuote',
  tags: ['market data'],
  summary: 'The newest quote of a symbol',
  request: { params: symbolPath, query: query({ exchange: exchangeQuery }) },
  responses: { 200: json(LatestQuote, 'The newest quote.'), ...problems(400, 404, 502, 503) },
})

const range = createRoute({
  method: 'get',
  path: '/v1/quotes/{symbol}',
  operationId: 'listQuotes',
  tags: ['market data'],
  summary: 'Quotes of a symbol in a range of time',
  description:
    'In order of ts_exchange and update_id. Without `to` until now; without `from` the last five minutes before `to`.',
  request: { params: symbolPath, query: query({ exchange: exchangeQuery, ...rangeShape }) },
  responses: { 200: json(QuotePage, 'A page of quotes.'), ...problems(400, 404, 502, 503) },
})

export function quoteRoutes(app: App, deps: Deps): void {
  app.openapi(latest, async (c) => {
    const { symbol } = c.req.valid('param')
    const instrument = await deps.findInstrument(symbol, c.req.valid('query').exchange ?? null)
    const now = deps.now()
    const row = await deps.latestQuote(instrument.id, now)
    if (row === undefined) {
      throw new Problem(
        404,
        'no_quote',
        'There is no quote.',
        `No quote of ${symbol} has been recorded yet.`,
      )
    }
    cacheFor(c, 0)
    const { exchange } = instrument
    const age_ms = ageMs(row.ts_exchange, now)
    return c.json({ exchange, symbol, age_ms, ...quoteJson(row, instrument) }, 200)
  })

  app.openapi(range, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const { from, to } = resolveRange(asked, deps.now(), DEFAULT_SPAN_US)
    const instrument = await deps.findInstrument(symbol, asked.exchange ?? null)
    const { limit, cursor: after = null } = asked
    const found = await deps.quotes({ symbol_id: instrument.id, from, to, after, limit: limit + 1 })
    const page = splitPage(found, limit, (row) => ({ ts: row.ts_exchange, id: row.update_id }))
    cacheFor(c, 0)
    const { exchange } = instrument
    const bounds = { from: toIso(from), to: toIso(to) }
    return c.json(
      {
        exchange,
        symbol,
        ...bounds,
        row_count: page.rows.length,
        next: nextPath(c.req.path, page.next, { exchange, ...bounds, limit }),
        rows: page.rows.map((row) => quoteJson(row, instrument)),
      },
      200,
    )
  })
}
