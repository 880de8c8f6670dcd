/** GET / : the paths of this API. */
import { createRoute } from '@hono/zod-openapi'
import { cacheFor, type App } from '../deps.ts'
import { query } from '../schemas/parameters.ts'
import { Index } from '../schemas/schemas.ts'
import { json, problems } from './answers.ts'

const LINKS = {
  docs: '/docs',
  chart: '/chart',
  openapi: '/openapi.json',
  health: '/health',
  symbols: '/v1/symbols',
  latest_quote: '/v1/quotes/{symbol}/latest',
  quotes: '/v1/quotes/{symbol}',
  trades: '/v1/trades/{symbol}',
  book: '/v1/book/{symbol}',
  depth: '/v1/depth/{symbol}',
  mark_price: '/v1/mark-price/{symbol}',
  liquidations: '/v1/liquidations/{symbol}',
  orderbook_topn: '/v1/orderbook-topn/{symbol}',
  market_data_1s: '/v1/market-data-1s/{symbol}',
  candles: '/v1/candles/{symbol}',
  clusters: '/v1/clusters/{symbol}',
  volume_profile: '/v1/volume-profile/{symbol}',
  features: '/v1/features/{symbol}',
  heatmap: '/v1/heatmap/{symbol}',
  signals: '/v1/signals/{symbol}',
  coverage: '/v1/coverage/{symbol}',
  gaps: '/v1/gaps',
  live: '/v1/live',
  prices: '/prices',
  latest_price: '/prices/latest',
  price_tickers: '/prices/tickers',
  data: '/data/{symbol}',
  stats: '/stats',
  jobs: '/v1/jobs',
  job: '/v1/jobs/{id}',
  validation: '/v1/validation',
  datasets: '/v1/datasets',
  yesterday: '/v1/datasets/{name}/yesterday.parquet',
}

export const route = createRoute({
  method: 'get',
  path: '/',
  operationId: 'index',
  tags: ['service'],
  summary: 'Paths of this API',
  request: { query: query({}) },
  responses: { 200: json(Index, 'Paths of this API.'), ...problems(400) },
})

export function indexRoutes(app: App): void {
  app.openapi(route, (c) => {
    cacheFor(c, 60)
    return c.json({ name: 'booktape' as const, links: LINKS }, 200)
  })
}
