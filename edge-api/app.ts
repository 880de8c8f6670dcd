/**
 * The API as a function of its dependencies: routes, common headers, and answers for unknown paths
 * and methods. It has no network and no clock of its own.
 */
import { OpenAPIHono } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'
import { guard } from './access/guard.ts'
import { cacheFor, type App, type Deps } from './deps.ts'
import { liveRoutes } from './routes/live.ts'
import { mcpRoute } from './mcp/route.ts'
import { Problem, found, toProblem } from './problem.ts'
import { bookRoutes } from './routes/book.ts'
import { candleRoutes } from './routes/candles.ts'
import { clusterRoutes } from './routes/clusters.ts'
import { coverageRoutes } from './routes/coverage.ts'
import { dataRoutes } from './routes/data.ts'
import { datasetFileRoutes } from './routes/dataset-files.ts'
import { datasetRoutes } from './routes/datasets.ts'
import { featureRoutes } from './routes/features.ts'
import { gapRoutes } from './routes/gaps.ts'
import { heatmapRoutes } from './routes/heatmap.ts'
import { healthRoutes } from './routes/health.ts'
import { icebergAccessRoutes } from './routes/iceberg-access.ts'
import { icebergRoutes } from './routes/iceberg.ts'
import { indexRoutes } from './routes/index.ts'
import { jobRoutes } from './routes/jobs.ts'
import { priceRoutes } from './routes/prices.ts'
import { quoteRoutes } from './routes/quotes.ts'
import { quoteAtRoutes } from './routes/quotes-at.ts'
import { rangeRoutes } from './routes/ranges.ts'
import { searchRoutes } from './routes/search.ts'
import { signalRoutes } from './routes/signals.ts'
import { statsRoutes } from './routes/stats.ts'
import { symbolRoutes } from './routes/symbols.ts'
import { validationRoutes } from './routes/validation.ts'
import { waitRoutes } from './routes/wait.ts'
import { addExactTypes } from './schemas/exact-types.ts'
import { OPENAPI_HEAD } from './schemas/openapi-head.ts'
import { refuseBadParameters } from './schemas/parameters.ts'
import { observe } from './telemetry/observe.ts'

export function createApp(deps: Deps): App {
  const app: App = new OpenAPIHono({ defaultHook: refuseBadParameters })
  answerAhead(app, deps)
  app.use('*', observe(deps))
  // Before the others: a WebSocket's answer cannot be changed, and an endless one not be held.
  liveRoutes(app, deps)
  addHeaders(app, deps.cors_origins)
  app.use('*', deps.send_bodies)
  app.use('*', guard(deps.access))
  if (deps.answer_cache !== undefined) app.use('*', deps.answer_cache)
  indexRoutes(app, deps)
  healthRoutes(app, deps)
  symbolRoutes(app, deps)
  searchRoutes(app, deps)
  // Before /v1/quotes/{symbol}, which would match "latest".
  quoteAtRoutes(app, deps)
  quoteRoutes(app, deps)
  waitRoutes(app, deps)
  rangeRoutes(app, deps)
  candleRoutes(app, deps)
  clusterRoutes(app, deps)
  featureRoutes(app, deps)
  signalRoutes(app, deps)
  heatmapRoutes(app, deps)
  bookRoutes(app, deps)
  gapRoutes(app, deps)
  coverageRoutes(app, deps)
  priceRoutes(app, deps)
  jobRoutes(app, deps)
  validationRoutes(app, deps)
  statsRoutes(app, deps)
  dataRoutes(app, deps)
  // Before the routes with {date}, which would match "yesterday.parquet" as a date.
  datasetFileRoutes(app, deps)
  datasetRoutes(app, deps)
  icebergRoutes(app, deps)
  icebergAccessRoutes(app, deps)
  mcpRoute(app, deps)
  addOpenApi(app)
  refuseOtherMethods(app)
  app.notFound((c) => {
    const detail = `No route matches ${found(c.req.path)}. GET / lists the paths.`
    const problem = new Problem(404, 'unknown_path', 'The path is unknown.', detail)
    c.error = problem
    return toProblem(problem, c)
  })
  app.onError(toProblem)
  return app
}

/** Requests of callers only: those that /mcp makes to the app itself have no context. */
function answerAhead(app: App, { known_answers, new_quotes }: Deps): void {
  const answer = app.fetch
  app.fetch = (request, env, context) => {
    const ahead = context && (known_answers?.find(request) ?? new_quotes?.find(request, context))
    if (ahead === undefined) return answer(request, env, context)
    return ahead.then((response) => response ?? answer(request, env, context))
  }
  if (known_answers !== undefined) app.use('*', known_answers.remember)
  if (new_quotes !== undefined) app.use('*', new_quotes.learn)
}

function addHeaders(app: App, cors_origins: readonly string[]): void {
  const allow_cors = cors({
    origin: cors_origins.includes('*') ? '*' : [...cors_origins],
    allowHeaders: ['Authorization', 'If-None-Match', 'Content-Type'],
    allowMethods: [...METHODS],
    exposeHeaders: [
      'ETag',
      'Link',
      'Retry-After',
      'WWW-Authenticate',
      'X-Dataset-Date',
      'X-Dataset-Complete',
    ],
    maxAge: 86_400,
  })
  const allow_posts = cors({
    origin: cors_origins.includes('*') ? '*' : [...cors_origins],
    allowHeaders: ['Authorization', 'Content-Type', 'Mcp-Protocol-Version'],
    allowMethods: ['POST', 'OPTIONS'],
    maxAge: 86_400,
  })
  app.use('*', sayLength)
  app.use('*', secure)
  app.use('/mcp', allow_posts)
  app.use('*', allow_cors)
}

/** What a browser heeds in answers that are data. Pages have headers of their own (_headers). */
const SECURITY: readonly (readonly [string, string])[] = [
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  // CORS decides which pages of other origins may read the answers.
  ['cross-origin-resource-policy', 'cross-origin'],
  ['referrer-policy', 'no-referrer'],
  ['strict-transport-security', 'max-age=31536000; includeSubDomains'],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
]

const secure: MiddlewareHandler = async (c, next) => {
  await next()
  for (const [name, value] of SECURITY) c.res.headers.set(name, value)
}

/** HEAD needs the Content-Length of its GET, so the body is produced, measured and dropped. */
const sayLength: MiddlewareHandler = async (c, next) => {
  await next()
  if (c.req.method !== 'HEAD' || c.res.body === null) return
  const { byteLength } = await c.res.arrayBuffer()
  const { status, headers } = c.res
  c.res = undefined
  c.res = new Response(null, { status, headers })
  c.res.headers.set('content-length', String(byteLength))
}

function addOpenApi(app: App): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'A token from `npx booktape token create`.',
  })
  let document: unknown
  app.get('/openapi.json', etag(), (c) => {
    if (document === undefined) {
      document = app.getOpenAPI31Document(OPENAPI_HEAD, { unionPreferredType: 'oneOf' })
      addExactTypes(document)
    }
    cacheFor(c, 60)
    return c.json(document)
  })
}

const METHODS = ['GET', 'HEAD', 'OPTIONS'] as const

/** Every route is a GET. Another method is a 405 on the path of a route, and a 404 elsewhere. */
function refuseOtherMethods(app: App): void {
  const paths = new Set(app.routes.filter(({ method }) => method === 'GET').map(({ path }) => path))
  for (const path of paths) {
    app.all(path, (c) => {
      throw new Problem(
        405,
        'method_not_allowed',
        'The method is not allowed.',
        `${found(c.req.method)} is not allowed. Use ${METHODS.join(', ')}.`,
        { headers: { allow: METHODS.join(', ') } },
      )
    })
  }
}
