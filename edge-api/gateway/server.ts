/**
 * The gateway: read-only access to Postgres over Neon's HTTP format, for one login and one
 * database. POST /sql runs a statement, GET /health says whether Postgres responds. With a
 * certificate the gateway terminates TLS; without one, a proxy in front must do it.
 */
import { readFileSync } from 'node:fs'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { DatabaseError } from 'pg'
import { Breaker } from '#core/breaker.ts'
import { OperatorError, describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { drain } from '#core/node/drain.ts'
import { createPool, withClient, type Pool } from '#core/node/pool.ts'
import type { Metrics } from '#core/node/metrics.ts'
import { createAccess } from './access.ts'
import type { GatewayConfig } from './config.ts'
import { createGatewayMetrics, type GatewayMetrics } from './metrics.ts'
import { ANSWER_LIMIT_MS, runQuery, type Statement } from './run-query.ts'

export interface Gateway {
  readonly url: string
  /**
   * Refuses new connections, answers what comes on open ones for `grace_ms`, lets running requests
   * finish, then closes the Postgres connections.
   */
  stop(grace_ms?: number): Promise<void>
  readonly metrics: Pick<Metrics, 'content_type' | 'text'>
}

/** Postgres allows 65,535 parameters; the longest query of the worker has ten. */
const PARAMETER_COUNT_MAX = 100
const RETRY_AFTER_S = '1'
/** After Postgres did not answer, no query is sent to it for this long. */
const PAUSE_MS = 1_000
/** Timeouts apply to whole requests; idle connections stay open for the worker's next query. */
const TIMEOUTS = {
  requestTimeout: 5_000,
  headersTimeout: 5_000,
  // How often Node checks for requests that are over time; its default is 30 s.
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 60_000,
}

export async function startGateway(config: GatewayConfig, log: Logger): Promise<Gateway> {
  const { pool_max } = config.limits
  // A pooler in transaction mode may be in between.
  const pool = createPool(
    config.database_url,
    'booktape-gateway',
    pool_max,
    ANSWER_LIMIT_MS,
    'shared',
  )
  const { answer, metrics } = createHandler(config, pool, log)
  const server = serve(config, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      const fields = { code: 'gateway_fault', error: describeError(error) }
      log.error(fields, 'A request failed unexpectedly.')
      response.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.port, config.host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    metrics: metrics.exposed,
    url: `${config.tls === undefined ? 'http' : 'https'}://${config.host}:${port}`,
    async stop(grace_ms = 0) {
      await drain(server, grace_ms)
      await pool.end()
    },
  }
}

function serve({ tls }: GatewayConfig, listener: RequestListener): Server {
  if (tls === undefined) return createServer(TIMEOUTS, listener)
  const { cert_file, key_file } = tls
  try {
    const [cert, key] = [readFileSync(cert_file), readFileSync(key_file)]
    return createTlsServer({ ...TIMEOUTS, minVersion: 'TLSv1.2', cert, key }, listener)
  } catch (cause) {
    throw new OperatorError(
      'bad_certificate',
      `The certificate cannot be used: ${String(cause)}.`,
      {
        hint:
          `TLS_CERT_FILE (${cert_file}) and TLS_KEY_FILE (${key_file}) must be PEM files ` +
          'of the same key pair.',
        cause,
      },
    )
  }
}

const ROUTES: readonly string[] = ['POST /sql', 'GET /health']
/** Any other method and path, as a label. */
const OTHER = 'other'

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

function createHandler(
  config: GatewayConfig,
  pool: Pool,
  log: Logger,
): { readonly answer: Handler; readonly metrics: GatewayMetrics } {
  const { limits } = config
  const access = createAccess(config.gateway_secret, config.database_url)
  const breaker = new Breaker(PAUSE_MS, () => performance.now())
  let running_count = 0
  const metrics = createGatewayMetrics(() => ({
    running_count,
    concurrency_max: limits.concurrency_max,
    connections: {
      busy: pool.totalCount - pool.idleCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
      max: limits.pool_max,
    },
    is_database_away: !breaker.is_trusting,
  }))
  const refuseAwayCounted = (response: ServerResponse): void => {
    metrics.noteRefused('database_away')
    refuseAway(response)
  }

  const runStatement: Handler = async (request, response) => {
    try {
      const statement = await readStatement(request, limits.request_bytes_max)
      if (!breaker.allows()) return refuseAwayCounted(response)
      const began_ms = performance.now()
      const answer = await runQuery(pool, statement, limits)
      breaker.succeeded()
      metrics.noteQuery((performance.now() - began_ms) / 1_000, answer.rowCount)
      send(response, 200, answer)
    } catch (error) {
      if (isAway(error)) {
        breaker.failed()
        metrics.noteRefused('database_away')
      } else breaker.succeeded()
      // If the caller disconnected while it sent the body, nothing can be answered.
      if (request.errored === null) answerError(response, error, log)
    }
  }

  const answerRoute = async (
    route: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    if (route === OTHER) {
      metrics.noteRefused('path')
      return refuse(response, 404, 'Unknown path. The gateway serves POST /sql and GET /health.')
    }
    if (route === 'POST /sql' && !access.bearsSecret(request.headers.authorization)) {
      metrics.noteRefused('secret')
      return refuse(response, 401, 'The bearer secret is missing or wrong.')
    }
    if (route === 'POST /sql' && !access.namesDatabase(header(request, 'neon-connection-string'))) {
      metrics.noteRefused('database')
      return refuse(response, 403, 'This gateway does not serve this login or database.')
    }
    if (running_count >= limits.concurrency_max) {
      metrics.noteRefused('busy')
      return refuse(response, 503, 'Too many concurrent queries.', { 'retry-after': RETRY_AFTER_S })
    }
    running_count += 1
    try {
      if (route === 'POST /sql') await runStatement(request, response)
      else await answerHealth(response, pool, log)
    } finally {
      running_count -= 1
    }
  }

  return {
    metrics,
    async answer(request, response) {
      const began_ms = performance.now()
      const asked = `${request.method} ${request.url}`
      const route = ROUTES.includes(asked) ? asked : OTHER
      try {
        await answerRoute(route, request, response)
      } finally {
        const elapsed_s = (performance.now() - began_ms) / 1_000
        metrics.noteRequest(route, response.statusCode, elapsed_s)
      }
    },
  }
}

async function answerHealth(response: ServerResponse, pool: Pool, log: Logger): Promise<void> {
  try {
    await withClient(pool, (client) => client.query('select 1'))
    send(response, 200, { status: 'ok' })
  } catch (error) {
    const fields = { code: 'database_unreachable', error: describeError(error) }
    log.warn(fields, 'Postgres does not respond.')
    refuse(response, 503, 'Postgres does not respond.', { 'retry-after': RETRY_AFTER_S })
  }
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

async function readStatement(request: IncomingMessage, bytes_max: number): Promise<Statement> {
  const text = await readText(request, bytes_max)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new OperatorError('bad_request', 'The body is not JSON.')
  }
  if (isStatement(value)) return { query: value.query, params: value.params ?? [] }
  throw new OperatorError('bad_request', 'The body is not one {query, params} object.', {
    hint:
      `Batches are not supported. params has at most ${PARAMETER_COUNT_MAX} ` +
      'strings, numbers, booleans or nulls.',
  })
}

/** Events rather than an iterator, which costs more than the rest of a small request. */
function readText(request: IncomingMessage, bytes_max: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let byte_count = 0
    request.on('data', (chunk: Buffer) => {
      byte_count += chunk.byteLength
      if (byte_count <= bytes_max) return void chunks.push(chunk)
      const message = `The request has more than ${bytes_max} bytes.`
      reject(new OperatorError('request_too_large', message))
      // Destroying the request would also destroy the connection, and with it the answer.
      request.pause()
    })
    request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    request.on('error', reject)
  })
}

function isStatement(
  value: unknown,
): value is { readonly query: string; readonly params?: Statement['params'] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { query, params = [] } = value as Readonly<Record<string, unknown>>
  if (typeof query !== 'string' || !Array.isArray(params)) return false
  return params.length <= PARAMETER_COUNT_MAX && params.every(isParameter)
}

function isParameter(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

const STATUSES: Readonly<Record<string, number>> = {
  bad_request: 400,
  not_a_select: 400,
  function_refused: 400,
  answer_too_large: 400,
  request_too_large: 413,
  database_refused: 403,
}

/**
 * SQLSTATEs with which Postgres cannot run a statement now: no resources (53), shutting down or
 * starting (57P), or a pooler without a free connection (08).
 */
const NOT_NOW = /^(?:53|57P|08)/

function isAway(error: unknown): boolean {
  return error instanceof OperatorError && error.code === 'database_unreachable'
}

/** Fields of a Postgres error that the driver passes on. */
const ERROR_FIELDS = [
  'severity',
  'code',
  'detail',
  'hint',
  'position',
  'where',
  'constraint',
  'routine',
] as const

function answerError(response: ServerResponse, error: unknown, log: Logger): void {
  if (isAway(error)) {
    const cause = describeError((error as OperatorError).cause)
    log.warn({ code: 'database_unreachable', error: cause }, 'Postgres cannot be reached.')
    return refuseAway(response)
  }
  if (error instanceof DatabaseError && NOT_NOW.test(error.code ?? '')) {
    const facts = { code: 'database_busy', sqlstate: error.code, error: error.message }
    log.warn(facts, 'Postgres is busy, starting or shutting down.')
    const message = 'Postgres is busy, starting or shutting down.'
    return refuse(response, 503, message, { 'retry-after': RETRY_AFTER_S })
  }
  if (error instanceof DatabaseError && error.severity === 'ERROR') {
    const fields = Object.fromEntries(ERROR_FIELDS.map((name) => [name, error[name] ?? null]))
    return send(response, 400, { message: error.message, ...fields })
  }
  if (error instanceof OperatorError && error.code in STATUSES) {
    const { code, cause } = error
    if (cause !== undefined)
      log.warn({ code, error: describeError(cause) }, 'Postgres cannot be reached.')
    return refuse(response, STATUSES[code]!, describeError(error))
  }
  // The connection broke. The details go only to the log.
  log.warn(
    { code: 'connection_lost', error: describeError(error) },
    'The connection to Postgres was lost.',
  )
  refuseAway(response)
}

/** With the code, the edge worker can tell an unreachable database from a busy one. */
function refuseAway(response: ServerResponse): void {
  const body = { code: 'database_unreachable', message: 'Postgres cannot be reached.' }
  send(response, 503, body, { connection: 'close', 'retry-after': RETRY_AFTER_S })
}

function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  // The request body may be only partly read, so the connection cannot be reused.
  send(response, status, { message }, { connection: 'close', ...headers })
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    // Otherwise Node sends even a small answer in chunks.
    'content-length': bytes.byteLength,
    ...headers,
  })
  response.end(bytes)
}
