/** GET /v1/quotes/{symbol}/latest : the newest best bid and offer. */
import { createRoute, type z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { micros, SECOND_US } from '#core/time.ts'
import { cacheLatest, type App, type Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { ARCHIVED_HOURS_MAX } from '../range/latest-quote.ts'
import { boundQuery, exchangeQuery, query, symbolPath } from '../schemas/parameters.ts'
import { LatestQuote } from '../schemas/schemas.ts'
import { json, problems } from './answers.ts'
import { jsonAnswer } from './json-answer.ts'
import { newestQuoteBody } from '../formats/newest-quote.ts'

const MAX_AGE_S = 86_400

export const latest = createRoute({
  method: 'get',
  path: '/v1/quotes/{symbol}/latest',
  operationId: 'latestQuote',
  tags: ['market data'],
  summary: 'Newest quote of a symbol',
  description:
    'Reads the database, then the archive. `age_ms` says how old the quote is. The search ' +
    `covers at most the newest ${ARCHIVED_HOURS_MAX} archived hours. If they have no quote of ` +
    'the symbol, the answer is a 404; /v1/quotes with `from` and `to` reads older quotes. While ' +
    'the database does not respond, the answer is a 503: the newest quote cannot be known.',
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      max_age_s: boundQuery(MAX_AGE_S, 'An older quote is a 404. By default there is no limit.'),
    }),
  },
  responses: { 200: json(LatestQuote, 'The newest quote.'), ...problems(400, 404, 502, 503) },
})

export function quoteRoutes(app: App, deps: Deps): void {
  app.openapi(latest, async (c) => {
    const { symbol } = c.req.valid('param')
    const { exchange: wanted = null, max_age_s } = c.req.valid('query')
    const instrument = await deps.findInstrument(symbol, wanted)
    const now = deps.now()
    const from = max_age_s === undefined ? 0 : now - max_age_s * SECOND_US
    const row = await deps.latestQuote(instrument, now, micros(from))
    if (row === undefined) throw noQuote(symbol, max_age_s)
    cacheLatest(c)
    return jsonAnswer<z.infer<typeof LatestQuote>>(
      c as Context,
      newestQuoteBody(instrument, row, now, max_age_s),
    )
  })
}

function noQuote(symbol: string, max_age_s: number | undefined): Problem {
  const detail =
    max_age_s === undefined
      ? `No quote of ${symbol} is in the database or in the newest ${ARCHIVED_HOURS_MAX} hours ` +
        'of the archive. /v1/quotes with from and to reads older quotes.'
      : `No quote of ${symbol} was recorded in the last ${max_age_s} seconds.`
  return new Problem(404, 'no_quote', 'No quote was found.', detail)
}
