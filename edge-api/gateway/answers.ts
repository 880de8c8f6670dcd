/** Answers of the gateway: rows, refusals, and errors as statuses. */
import type { ServerResponse } from 'node:http'
import { DatabaseError } from 'pg'
import { OperatorError, describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'

const RETRY = { 'retry-after': '1' } as const

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

export const AWAY = 'database_unreachable'

/** Postgres did not answer, or was not asked because it did not answer lately. */
export function isAway(error: unknown): boolean {
  return error instanceof OperatorError && error.code === AWAY
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

export function answerError(response: ServerResponse, error: unknown, log: Logger): void {
  if (isAway(error)) {
    // Without one Postgres was not asked.
    const { cause } = error as OperatorError
    if (cause !== undefined)
      log.warn({ code: AWAY, error: describeError(cause) }, 'Postgres cannot be reached.')
    return refuseAway(response)
  }
  if (error instanceof DatabaseError && NOT_NOW.test(error.code ?? '')) {
    const facts = { code: 'database_busy', sqlstate: error.code, error: error.message }
    log.warn(facts, 'Postgres is busy, starting or shutting down.')
    return refuse(response, 503, 'Postgres is busy, starting or shutting down.')
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
  sendRefusal(response, 503, { code: AWAY, message: 'Postgres cannot be reached.' })
}

export function refuse(response: ServerResponse, status: number, message: string): void {
  sendRefusal(response, status, { message })
}

function sendRefusal(response: ServerResponse, status: number, body: object): void {
  // The request body may be only partly read, so the connection cannot be reused.
  const headers = { connection: 'close', ...(status === 503 ? RETRY : {}) }
  send(response, status, body, headers)
}

export function send(
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
