/** GET /v1/search : instruments by the beginning of their name. */
import { createRoute } from '@hono/zod-openapi'
import { cacheFor, type App, type Deps } from '../deps.ts'
import type { SymbolRow } from '../queries/symbols.ts'
import { asciiLower } from '../range/search.ts'
import { exchangeQuery, limitQuery, query, searchQuery } from '../schemas/parameters.ts'
import { SearchResults } from '../schemas/schemas.ts'
import { LIST_BYTES } from '../tables/page-size.ts'
import { json, problems } from './answers.ts'
import { symbolItem } from './symbols.ts'

const LIMIT = { maximum: 100, standard: 20 }

export const route = createRoute({
  method: 'get',
  path: '/v1/search',
  operationId: 'searchSymbols',
  tags: ['market data'],
  summary: 'Instruments whose symbol or base asset begins with a text',
  description:
    'Exact names come first, then symbols that begin with `q`, then base assets; among these, ' +
    'instruments that are traded, then by exchange and symbol.',
  request: {
    query: query({
      q: searchQuery,
      exchange: exchangeQuery,
      limit: limitQuery(LIMIT.maximum, LIMIT.standard),
    }),
  },
  responses: { 200: json(SearchResults, 'The best matches.'), ...problems(400, 502, 503) },
})

export function searchRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { q, exchange = null, limit } = c.req.valid('query')
    return deps.memory.run(LIST_BYTES, async () => {
      const rows = await deps.search(asciiLower(q), exchange)
      cacheFor(c, 10)
      return c.json({ q, symbols: rows.slice(0, limit).map((row) => resultOf(row, q)) }, 200)
    })
  })
}

function resultOf(row: SymbolRow, q: string) {
  const is_symbol = asciiLower(row.symbol).startsWith(asciiLower(q))
  return { ...symbolItem(row), matches: is_symbol ? ('symbol' as const) : ('base_asset' as const) }
}
