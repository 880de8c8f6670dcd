/** GET /v1/symbols : the instruments that the exchanges list. */
import { createRoute } from '@hono/zod-openapi'
import { isExchange } from '#core/symbols.ts'
import { timeSourcesOf } from '#core/time-source.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { exchangeQuery, flagQuery, limitQuery, query } from '../schemas/parameters.ts'
import type { SymbolRow } from '../queries/symbols.ts'
import { SymbolList } from '../schemas/schemas.ts'
import { decimalText } from '#core/decimal-text.ts'
import { LIST_BYTES } from '../tables/page-size.ts'
import { json, problems } from './answers.ts'

export const route = createRoute({
  method: 'get',
  path: '/v1/symbols',
  operationId: 'listSymbols',
  tags: ['market data'],
  summary: 'Instruments, as the exchanges list them',
  description:
    'With their price and quantity steps. Symbols that are no longer traded stay in the list.',
  request: {
    query: query({
      exchange: exchangeQuery,
      is_active: flagQuery('true: only traded symbols. false: only symbols no longer traded.'),
      limit: limitQuery(10_000, 10_000),
    }),
  },
  responses: {
    200: json(SymbolList, 'Instruments by exchange and name.'),
    ...problems(400, 502, 503),
  },
})

export function symbolRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { exchange = null, is_active = null, limit } = c.req.valid('query')
    return deps.memory.run(LIST_BYTES, async () => {
      const rows = await deps.symbols({ exchange, is_active, limit })
      cacheFor(c, 10)
      const symbols = rows.map(symbolItem)
      return c.json({ symbols }, 200)
    })
  })
}

export function symbolItem(row: SymbolRow) {
  return {
    ...row,
    tick_size: row.tick_size === null ? null : decimalText(row.tick_size, null),
    step_size: row.step_size === null ? null : decimalText(row.step_size, null),
    ts_exchange_source: isExchange(row.exchange) ? timeSourcesOf(row.exchange) : {},
  }
}
