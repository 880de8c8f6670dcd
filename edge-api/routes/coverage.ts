/** GET /v1/coverage/{symbol} : recorded and missing data of a symbol in a range. */
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
  summary: 'Recorded and missing data of a symbol in a time range, for each stream',
  description:
    '`to` defaults to now, `from` to 24 hours before `to`. /v1/gaps lists the gaps themselves. ' +
    'coverage.parquet of a dataset has the same figures for whole days.',
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      from: timeQuery('Start of the range, inclusive.'),
      to: timeQuery('End of the range, exclusive.'),
    }),
  },
  responses: { 200: json(Coverage, 'One entry per stream.'), ...problems(400, 404, 502, 503) },
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
