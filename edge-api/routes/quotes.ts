/** GET /v1/quotes/{symbol}/latest : the newest best bid and offer. */
import { createRoute } from '@hono/zod-openapi'
import type { Micros } from '#core/time.ts'
import { cacheLatest, type App, type Deps } from '../deps.ts'
import { jsonRow } from '../formats/table-text.ts'
import { Problem } from '../problem.ts'
import { exchangeQuery, query, symbolPath } from '../schemas/parameters.ts'
import { LatestQuote } from '../schemas/schemas.ts'
import { quotes } from '../tables/tables.ts'
import { ageMs } from './age.ts'
import { json, problems } from './answers.ts'

export const latest = createRoute({
  method: 'get',
  path: '/v1/quotes/{symbol}/latest',
  operationId: 'latestQuote',
  tags: ['market data'],
  summary: 'The newest quote of a symbol',
  request: { params: symbolPath, query: query({ exchange: exchangeQuery }) },
  responses: { 200: json(LatestQuote, 'The newest quote.'), ...problems(400, 404, 502, 503) },
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
    cacheLatest(c)
    const { exchange } = instrument
    const age_ms = ageMs(row['ts_exchange'] as Micros, now)
    return c.json({ exchange, symbol, age_ms, ...jsonRow(row, quotes.columns, instrument) }, 200)
  })
}
