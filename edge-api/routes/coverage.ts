/** GET /v1/coverage/{symbol} : what of a symbol was recorded in a range, and what is missing. */
import { createRoute } from '@hono/zod-openapi'
import { DAY_US, toIso, type Micros } from '#core/time.ts'
import { cacheLatest, type App, type Deps } from '../deps.ts'
import { exchangeQuery, query, resolveRange, symbolPath, timeQuery } from '../schemas/parameters.ts'
import { Coverage } from '../schemas/schemas.ts'
import { json, problems } from './answers.ts'

export const route = createRoute({
  method: 'get',
  path: '/v1/coverage/{symbol}',
  operationId: 'getCoverage',
  tags: ['market data'],
  summary: 'What of a symbol is there in a range of time, stream by stream, and what is missing',
  description:
    'Without `to` until now; without `from` the last 24 hours before `to`. The holes themselves ' +
    'are at /v1/gaps; coverage.parquet of a dataset says the same of whole days.',
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      from: timeQuery('First moment of the range.'),
      to: timeQuery('End of the range, not itself in it.'),
    }),
  },
  responses: { 200: json(Coverage, 'One entry a stream.'), ...problems(400, 404, 502, 503) },
})

export function coverageRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const { from, to } = resolveRange(asked, deps.now(), DAY_US)
    const { id: symbol_id, exchange } = await deps.findInstrument(symbol, asked.exchange ?? null)
    const rows = await deps.coverage({ symbol_id, exchange, from, to })
    cacheLatest(c)
    const streams = rows.map((row) => ({
      ...row,
      hot_first_ts: isoOrNull(row.hot_first_ts),
      hot_last_ts: isoOrNull(row.hot_last_ts),
    }))
    return c.json({ exchange, symbol, from: toIso(from), to: toIso(to), streams }, 200)
  })
}

function isoOrNull(ts: Micros | null): string | null {
  return ts === null ? null : toIso(ts)
}
