/**
 * The engine over HTTP, for the edge worker: GET /clusters/bars, /clusters/profile, and
 * /clusters/health, which says whether Postgres responds. Callers need the secret. Times are
 * microseconds since 1970.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import { INTERVALS } from '#core/clusters/intervals.ts'
import { describeError, OperatorError } from '#core/errors.ts'
import { createBearerCheck } from '#core/node/bearer.ts'
import { drain } from '#core/node/drain.ts'
import type { Logger } from '#core/node/log.ts'
import { isStatementError, type Pool } from '#core/node/pool.ts'
import { micros } from '#core/time.ts'
import type { ClusterEngine } from './engine.ts'

export interface ServerOptions {
  readonly host: string
  readonly port: number
  readonly secret: string
  /** Requests that are answered at once; further ones get a 503. */
  readonly requests_max: number
  readonly engine: ClusterEngine
  readonly pool: Pool
  readonly log: Logger
  note(route: string, status: number, elapsed_s: number): void
}

export interface ClusterServer {
  readonly url: string
  /** Answers what comes on open connections for `grace_ms`, then ends. */
  stop(grace_ms: number): Promise<void>
}

/** Of the answer to GET /clusters/bars, whose body is the array of rows: what is next to it. */
export const HEAD_HEADER = 'x-clusters'

const ROUTES = ['/clusters/bars', '/clusters/profile', '/clusters/health']
const TIMEOUTS = { requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 60_000 }

const time = z.coerce.number().int().min(0).max(8e15).transform(micros)
const Range = z.object({
  exchange: z.string(),
  symbol: z.string(),
  bin: z.union([z.literal('auto'), z.coerce.number().int().min(1).max(1_000_000)]),
  from: time,
  to: time,
})
const Bars = Range.extend({
  interval: z.enum(INTERVALS),
  order: z.enum(['asc', 'desc']),
  limit: z.coerce.number().int().min(1).max(10_000),
  after: time.optional().transform((ts) => ts),
})

interface Answer {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export async function startServer(options: ServerOptions): Promise<ClusterServer> {
  const { host, port } = options
  const handle = createHandler(options)
  const server = createServer(TIMEOUTS, (request, response) => void handle(request, response))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return {
    url: `http://${host}:${address.port}`,
    stop: (grace_ms) => drain(server, grace_ms),
  }
}

function createHandler(
  options: ServerOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { secret, requests_max, log, note } = options
  const bearsSecret = createBearerCheck(secret)
  let running_count = 0
  const answerOf = async (request: IncomingMessage, url: URL): Promise<Answer> => {
    if (request.method !== 'GET' || !ROUTES.includes(url.pathname)) {
      return refuse(404, 'unknown_path', `The engine answers GET ${ROUTES.join(', ')}.`)
    }
    if (url.pathname === '/clusters/health') return answerHealth(options)
    if (!bearsSecret(request.headers.authorization)) {
      return refuse(401, 'secret_refused', 'The bearer secret is missing or wrong.')
    }
    if (running_count >= requests_max) {
      return refuse(503, 'clusters_busy', 'Too many requests at once.')
    }
    running_count++
    try {
      return await answerRoute(options.engine, url)
    } catch (error) {
      return refusalOf(error, log)
    } finally {
      running_count--
    }
  }
  return async (request, response) => {
    const began_ms = performance.now()
    const url = new URL(request.url ?? '/', 'http://engine')
    const { status, body, headers = {} } = await answerOf(request, url)
    response.writeHead(status, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...headers,
    })
    response.end(body)
    const route = ROUTES.includes(url.pathname) ? url.pathname : 'other'
    note(route, status, (performance.now() - began_ms) / 1_000)
  }
}

async function answerRoute(engine: ClusterEngine, url: URL): Promise<Answer> {
  const asked = Object.fromEntries(url.searchParams)
  if (url.pathname === '/clusters/profile') {
    const { text, is_final } = await engine.profile(Range.parse(asked))
    return { status: 200, body: text, headers: { [HEAD_HEADER]: JSON.stringify({ is_final }) } }
  }
  const { rows, next_ts, is_final } = await engine.bars(Bars.parse(asked))
  const head = JSON.stringify({ row_count: rows.length, next_ts, is_final })
  return { status: 200, body: `[${rows.join(',')}]`, headers: { [HEAD_HEADER]: head } }
}

async function answerHealth({ pool, log }: ServerOptions): Promise<Answer> {
  try {
    await pool.query('select 1')
    return { status: 200, body: JSON.stringify({ status: 'ok' }) }
  } catch (error) {
    return refusalOf(error, log)
  }
}

function refuse(status: number, code: string, message: string): Answer {
  return {
    status,
    body: JSON.stringify({ code, message }),
    headers: status === 503 ? { 'retry-after': '1' } : {},
  }
}

const STATUSES: Readonly<Record<string, number>> = {
  unknown_symbol: 404,
  no_tick_size: 404,
  bin_too_fine: 400,
}

function refusalOf(error: unknown, log: Logger): Answer {
  if (error instanceof z.ZodError) return refuse(400, 'bad_parameter', z.prettifyError(error))
  if (error instanceof OperatorError) {
    const status = STATUSES[error.code] ?? (error.retryable ? 503 : 500)
    if (status === 500) log.error({ code: error.code }, describeError(error))
    return refuse(status, error.code, describeError(error))
  }
  if (isStatementError(error) && !isBusy(error)) {
    log.error({ code: 'statement_failed', error: describeError(error) }, 'A statement failed.')
    return refuse(500, 'statement_failed', 'A statement failed; the error was logged.')
  }
  const facts = { code: 'database_unreachable', error: describeError(error) }
  log.warn(facts, 'Postgres or the object store does not respond.')
  return refuse(503, 'database_unreachable', 'Postgres or the object store does not respond.')
}

/** Postgres is out of resources or locks, is stopping, or has ended the statement. */
function isBusy(error: unknown): boolean {
  return /^(?:53|55P03|57)/.test(String((error as { readonly code?: unknown }).code))
}
