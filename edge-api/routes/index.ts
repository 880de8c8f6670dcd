/** GET / : where everything is. */
import { createRoute } from '@hono/zod-openapi'
import { cacheFor, type App } from '../deps.ts'
import { query } from '../parameters.ts'
import { Index } from '../schemas.ts'
import { json, problems } from './answers.ts'

const LINKS = {
  docs: '/docs',
  openapi: '/openapi.json',
  health: '/health',
  symbols: '/v1/symbols',
  latest_quote: '/v1/quotes/{symbol}/latest',
  quotes: '/v1/quotes/{symbol}',
  trades: '/v1/trades/{symbol}',
  gaps: '/v1/gaps',
  jobs: '/v1/jobs',
  datasets: '/v1/datasets',
  yesterday: '/v1/datasets/{name}/yesterday.parquet',
}

const route = createRoute({
  method: 'get',
  path: '/',
  operationId: 'index',
  tags: ['service'],
  summary: 'Where everything is',
  request: { query: query({}) },
  responses: { 200: json(Index, 'Paths of this API.'), ...problems(400) },
})

export function indexRoutes(app: App): void {
  app.openapi(route, (c) => {
    cacheFor(c, 60)
    return c.json({ name: 'booktape' as const, links: LINKS }, 200)
  })
}
