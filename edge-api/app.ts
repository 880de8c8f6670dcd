/**
 * The API as a function of its dependencies: routes, the headers that every answer has, and what
 * is answered where no route is. No network and no clock of its own.
 */
import { OpenAPIHono } from '@hono/zod-openapi'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'
import { cacheFor, type App, type Deps } from './deps.ts'
import { OPENAPI_HEAD } from './openapi-head.ts'
import { refuseBadParameters } from './parameters.ts'
import { Problem, found, problemResponse, toProblem } from './problem.ts'
import { datasetFileRoutes } from './routes/dataset-files.ts'
import { datasetRoutes } from './routes/datasets.ts'
import { gapRoutes } from './routes/gaps.ts'
import { healthRoutes } from './routes/health.ts'
import { indexRoutes } from './routes/index.ts'
import { jobRoutes } from './routes/jobs.ts'
import { quoteRoutes } from './routes/quotes.ts'
import { symbolRoutes } from './routes/symbols.ts'
import { tradeRoutes } from './routes/trades.ts'

export function createApp(deps: Deps): App {
  const app: App = new OpenAPIHono({ defaultHook: refuseBadParameters })
  addHeaders(app)
  indexRoutes(app)
  healthRoutes(app, deps)
  symbolRoutes(app, deps)
  quoteRoutes(app, deps)
  tradeRoutes(app, deps)
  gapRoutes(app, deps)
  jobRoutes(app, deps)
  // Before the routes with {date}, which would take "yesterday.parquet" for one.
  datasetFileRoutes(app, deps)
  datasetRoutes(app, deps)
  addOpenApi(app)
  refuseOtherMethods(app)
  app.notFound((c) => {
    const detail = `No route is ${found(c.req.path)}. / lists them.`
    return problemResponse(
      new Problem(404, 'unknown_path', 'There is nothing here.', detail),
      c.req.url,
    )
  })
  app.onError(toProblem(deps.report))
  return app
}

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
} as const

function addHeaders(app: App): void {
  const allow_cors = cors({
    origin: '*',
    allowMethods: [...METHODS],
    exposeHeaders: ['ETag', 'Retry-After', 'X-Dataset-Date', 'X-Dataset-Complete'],
    maxAge: 86_400,
  })
  app.use('*', allow_cors)
  app.use('*', async (c, next) => {
    await next()
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value)
  })
}

function addOpenApi(app: App): void {
  let document: unknown
  app.get('/openapi.json', etag(), (c) => {
    document ??= app.getOpenAPI31Document(OPENAPI_HEAD)
    cacheFor(c, 60)
    return c.json(document)
  })
}

const METHODS = ['GET', 'HEAD', 'OPTIONS'] as const

/** Every route is a GET: on its path another method is a 405, elsewhere it is a 404. */
function refuseOtherMethods(app: App): void {
  const paths = new Set(app.routes.filter(({ method }) => method === 'GET').map(({ path }) => path))
  for (const path of paths) {
    app.all(path, (c) => {
      throw new Problem(
        405,
        'method_not_allowed',
        'This path can only be read.',
        `${found(c.req.method)} is not allowed; ${METHODS.join(', ')} are.`,
        { headers: { allow: METHODS.join(', ') } },
      )
    })
  }
}
