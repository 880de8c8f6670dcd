/**
 * The gateway: read-only access to Postgres over Neon's HTTP format, for one login and one
 * database. POST /sql runs a statement, GET /newest-quote answers with the quote as the edge sends
 * it, GET /health says whether Postgres responds. With a certificate the gateway terminates TLS;
 * without one, a proxy in front must do it.
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
import { Breaker } from '#core/breaker.ts'
import { OperatorError, describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { drain } from '#core/node/drain.ts'
import type { Metrics } from '#core/node/metrics.ts'
import { fromMillis } from '#core/time.ts'
import { rowsOf } from '../queries/database.ts'
import { createAccess } from './access.ts'
import { answerError, AWAY, isAway, refuse, send } from './answers.ts'
import type { GatewayConfig } from './config.ts'
import type { Answer, Statement } from './connection.ts'
import { Connections } from './connections.ts'
import { createGatewayMetrics, type GatewayMetrics, type RefusalReason } from './metrics.ts'
import { createNewestQuotes, sendNewestQuote } from './newest-quote.ts'
import { readStatement } from './read-statement.ts'
import { runOwnQuery, runQuery } from './run-query.ts'

export interface Gateway {
  readonly url: string
  /**
   * Refuses new connections, answers what comes on open ones for `grace_ms`, lets running requests
   * finish, then closes the Postgres connections.
   */
  stop(grace_ms?: number): Promise<void>
  readonly metrics: Pick<Metrics, 'content_type' | 'text'>
}

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
  const connections = new Connections(config.database_url, config.limits.pool_max)
  const { answer, metrics } = createHandler(config, connections, log)
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
      await connections.end()
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

const [SQL, NEWEST_QUOTE, HEALTH] = ['POST /sql', 'GET /newest-quote', 'GET /health'] as const
/** Any other method and path, as a label. */
const OTHER = 'other'
const UNKNOWN_PATH = `Unknown path. The gateway serves ${SQL}, ${NEWEST_QUOTE} and ${HEALTH}.`

interface Refusal {
  readonly reason: RefusalReason
  readonly status: number
  readonly message: string
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

function createHandler(
  config: GatewayConfig,
  connections: Connections,
  log: Logger,
): { readonly answer: Handler; readonly metrics: GatewayMetrics } {
  const { limits } = config
  const access = createAccess(config.gateway_secret, config.database_url)
  const breaker = new Breaker(PAUSE_MS, () => performance.now())
  let running_count = 0
  const metrics = createGatewayMetrics(() => ({
    running_count,
    concurrency_max: limits.concurrency_max,
    connections: { ...connections.counts, max: limits.pool_max },
    is_database_away: !breaker.is_trusting,
  }))
  /** Runs a statement unless Postgres is known to be away. */
  const query = async (run: () => Promise<Answer>): Promise<Answer> => {
    if (!breaker.allows()) throw new OperatorError(AWAY, 'Postgres did not answer lately.')
    const began_ms = performance.now()
    try {
      const answer = await run()
      breaker.succeeded()
      // Once the caller has its answer.
      setImmediate(metrics.noteQuery, (performance.now() - began_ms) / 1_000, answer.rowCount)
      return answer
    } catch (error) {
      if (isAway(error)) breaker.failed()
      else breaker.succeeded()
      throw error
    }
  }

  const runStatement: Handler = async (request, response) => {
    const statement = await readStatement(request, limits.request_bytes_max)
    send(response, 200, await query(() => runQuery(connections, statement, limits)))
  }

  const findNewestQuote = createNewestQuotes(
    {
      async query<Row>(text: string, params: Statement['params']) {
        return rowsOf<Row>(
          await query(() => runOwnQuery(connections, { query: text, params }, limits)),
        )
      },
    },
    () => fromMillis(Date.now()),
  )

  const answerNewestQuote: Handler = async (request, response) => {
    const found = await findNewestQuote(request.url!.split('?')[1] ?? '')
    if (found === undefined) response.writeHead(204).end()
    else sendNewestQuote(response, found)
  }

  const handlers: Readonly<Record<string, Handler>> = {
    [SQL]: runStatement,
    [NEWEST_QUOTE]: answerNewestQuote,
    [HEALTH]: (_, response) =>
      answerHealth(response, log, () => runOwnQuery(connections, ONE, limits)),
  }

  /** Why the caller is refused before anything is done; undefined: it is not. */
  const refusalOf = (route: string, { headers }: IncomingMessage): Refusal | undefined => {
    if (!(route in handlers)) return { reason: 'path', status: 404, message: UNKNOWN_PATH }
    const needs_secret = route !== HEALTH
    if (needs_secret && !access.bearsSecret(headers.authorization)) {
      const message = 'The bearer secret is missing or wrong.'
      return { reason: 'secret', status: 401, message }
    }
    // A quote is of our database, whatever the caller's is.
    if (route === SQL && !access.namesDatabase(textIn(headers, 'neon-connection-string'))) {
      const message = 'This gateway does not serve this login or database.'
      return { reason: 'database', status: 403, message }
    }
    if (running_count < limits.concurrency_max) return undefined
    return { reason: 'busy', status: 503, message: 'Too many concurrent queries.' }
  }

  const answerRoute = async (
    route: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const refusal = refusalOf(route, request)
    if (refusal !== undefined) {
      metrics.noteRefused(refusal.reason)
      return refuse(response, refusal.status, refusal.message)
    }
    running_count += 1
    try {
      await handlers[route]!(request, response)
    } catch (error) {
      if (isAway(error)) metrics.noteRefused('database_away')
      // If the caller disconnected while it sent the body, nothing can be answered.
      if (request.errored === null) answerError(response, error, log)
    } finally {
      running_count -= 1
    }
  }

  return {
    metrics,
    async answer(request, response) {
      const began_ms = performance.now()
      const asked = `${request.method} ${request.url!.split('?', 1)[0]}`
      const route = asked in handlers ? asked : OTHER
      try {
        await answerRoute(route, request, response)
      } finally {
        const elapsed_s = (performance.now() - began_ms) / 1_000
        metrics.noteRequest(route, response.statusCode, elapsed_s)
      }
    },
  }
}

const ONE: Statement = { query: 'select 1', params: [] }

async function answerHealth(
  response: ServerResponse,
  log: Logger,
  ask: () => Promise<Answer>,
): Promise<void> {
  try {
    await ask()
    send(response, 200, { status: 'ok' })
  } catch (error) {
    const fields = { code: AWAY, error: describeError(error) }
    log.warn(fields, 'Postgres does not respond.')
    refuse(response, 503, 'Postgres does not respond.')
  }
}

function textIn(headers: IncomingMessage['headers'], name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}
