/** GET / : what this API has now, and its paths. */
import { createRoute, type z } from '@hono/zod-openapi'
import { DAY_US, type Micros, micros, SECOND_US, toIso } from '#core/time.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { query } from '../schemas/parameters.ts'
import { Index } from '../schemas/schemas.ts'
import { json, problems } from './answers.ts'

const LINKS = {
  docs: '/docs',
  chart: '/chart',
  openapi: '/openapi.json',
  health: '/health',
  symbols: '/v1/symbols',
  search: '/v1/search',
  latest_quote: '/v1/quotes/{symbol}/latest',
  latest_quotes: '/v1/quotes/latest',
  quote_at: '/v1/quotes/{symbol}/at',
  snapshot: '/v1/snapshot',
  quotes: '/v1/quotes/{symbol}',
  trades: '/v1/trades/{symbol}',
  book: '/v1/book/{symbol}',
  depth: '/v1/depth/{symbol}',
  mark_price: '/v1/mark-price/{symbol}',
  liquidations: '/v1/liquidations/{symbol}',
  orderbook_topn: '/v1/orderbook-topn/{symbol}',
  market_data_1s: '/v1/market-data-1s/{symbol}',
  candles: '/v1/candles/{symbol}',
  klines: '/v1/klines/{symbol}',
  open_interest: '/v1/open-interest/{symbol}',
  funding_rates: '/v1/funding-rates/{symbol}',
  book_depth: '/v1/book-depth/{symbol}',
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
  summary: 'What is recorded, and the paths of this API',
  description:
    'Needs no token. A part that cannot be read now is null. A browser is sent to /docs, which ' +
    'shows the same.',
  request: { query: query({}) },
  responses: {
    200: json(Index, 'What is recorded.'),
    302: { description: 'To /docs, for a caller that prefers HTML.' },
    ...problems(400),
  },
})

type Overview = Pick<
  z.infer<typeof Index>,
  'exchanges' | 'first_hour' | 'newest_quote' | 'datasets'
>

/** The page needs no token, so its answer is made at most once in this time. */
const KEPT_US = 30 * SECOND_US

export function indexRoutes(app: App, deps: Deps): void {
  let kept: { readonly overview: Overview; readonly until: number } | undefined
  app.openapi(route, async (c) => {
    c.header('vary', 'accept', { append: true })
    if (prefersHtml(c.req.header('accept'))) return c.redirect('/docs', 302)
    const now = deps.now()
    // Not the promise: in a worker, one request cannot wait for what another one reads.
    if (kept === undefined || now >= kept.until) {
      kept = { overview: await readOverview(deps, now), until: now + KEPT_US }
    }
    cacheFor(c, 30)
    return c.json({ name: 'booktape' as const, ...kept.overview, links: LINKS }, 200)
  })
}

/** What browsers send for a page, and no program: HTML by name. */
function prefersHtml(accept: string | undefined): boolean {
  return accept?.split(',')[0]?.trim().startsWith('text/html') ?? false
}

async function readOverview(deps: Deps, now: Micros): Promise<Overview> {
  const orNull = <T>(read: Promise<T>): Promise<T | null> => read.catch(() => null)
  const [rows, newest, datasets] = await Promise.all([
    orNull(deps.overview()),
    orNull(deps.newestQuoteTime(micros(now - DAY_US))),
    orNull(deps.datasets.list()),
  ])
  const first_hour = rows?.[0]?.first_hour ?? null
  return {
    exchanges: rows && rows.map(({ first_hour: _hour, ...counts }) => counts),
    first_hour: first_hour === null ? null : toIso(first_hour),
    newest_quote: newest === null ? null : toIso(newest),
    datasets: datasets && [...datasets],
  }
}
