/**
 * The frame of an admin API: every request is let in by guard.ts, bodies are limited, and every
 * error is a problem document. Programs add their routes.
 */
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { z } from 'zod'
import { describeError, OperatorError } from '#core/errors.ts'
import { Problem, problemResponse } from '#core/problem.ts'
import type { Logger } from '../log.ts'
import { admit, type Caller, type GuardOptions, requireScope, type Way } from './guard.ts'

export interface DoorEnv {
  readonly Bindings: HttpBindings & { readonly way: Way }
  readonly Variables: { caller: Caller }
}

export type DoorApp = Hono<DoorEnv>

export interface DoorAppOptions extends GuardOptions {
  readonly log: Logger
  /** Statuses of operating errors, by their code. A code that is not here is a 500. */
  readonly statuses: Readonly<Record<string, number>>
  /** Called once a request is answered; `path`: that of the route. */
  onAnswered?(method: string, path: string, status: number): void
}

const BODY_BYTES_MAX = 256 * 1024
const DETAIL_CHARS_MAX = 400
const RETRY_AFTER_S = '5'
const SAFE_METHODS = ['GET', 'HEAD']

export function createDoorApp(options: DoorAppOptions): DoorApp {
  const { log, statuses } = options
  const app: DoorApp = new Hono()
  app.use(async (c, next) => {
    await next()
    c.res.headers.set('cache-control', 'no-store')
    c.res.headers.set('x-content-type-options', 'nosniff')
    options.onAnswered?.(c.req.method, c.req.routePath, c.res.status)
  })
  app.use(async (c, next) => {
    const { way, incoming } = c.env
    const address = incoming.socket.remoteAddress
    const caller = admit({ way, address, headers: c.req.raw.headers }, options)
    const is_safe = SAFE_METHODS.includes(c.req.method)
    requireScope(caller, is_safe ? 'read' : 'operate')
    c.set('caller', caller)
    await next()
  })
  app.notFound((c) => {
    const problem = new Problem(
      404,
      'no_such_route',
      'This route does not exist.',
      `GET / lists them.`,
    )
    return problemResponse(problem, c.req.url)
  })
  app.onError((error, c) => {
    const problem = asProblem(error, statuses)
    if (problem.status >= 500 && !(error instanceof OperatorError)) {
      log.error(
        { code: 'control_failed', error: describeError(error), path: c.req.path },
        'A request failed.',
      )
    }
    return problemResponse(problem, c.req.url)
  })
  return app
}

/** The JSON body, or {} without a body. Errors: Problem 400, 413, 415. */
export async function jsonBody<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(request)
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (text !== '' && type !== 'application/json') {
    const detail = 'Send Content-Type: application/json.'
    throw new Problem(415, 'not_json', 'The body is not JSON.', detail)
  }
  const result = schema.safeParse(parseText(text))
  if (result.success) return result.data
  const errors = result.error.issues.map(({ path, message }) => ({
    parameter: path.length === 0 ? 'body' : path.join('.'),
    found: null,
    allowed: message,
  }))
  const detail = errors.map(({ parameter, allowed }) => `${parameter}: ${allowed}`).join('; ')
  // The names of unknown fields are the caller's, and may be long.
  const short = detail.slice(0, DETAIL_CHARS_MAX)
  throw new Problem(400, 'bad_body', 'The body is not what is expected.', short, { errors })
}

/**
 * Reads no more than may be; hono's own limit needs the global Request, which is not the server's.
 */
async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) {
      const detail = `A body may have ${BODY_BYTES_MAX} bytes.`
      throw new Problem(413, 'body_too_large', 'The body is too large.', detail)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseText(text: string): unknown {
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw new Problem(400, 'bad_json', 'The body is not JSON.', 'It could not be parsed.')
  }
}

function asProblem(error: unknown, statuses: DoorAppOptions['statuses']): Problem {
  if (error instanceof Problem) return error
  const status = error instanceof OperatorError ? statuses[error.code] : undefined
  if (status === undefined || !(error instanceof OperatorError)) {
    const detail = 'It was written to the log.'
    return new Problem(500, 'internal_error', 'This is a fault of the program.', detail)
  }
  const headers: Record<string, string> = error.retryable ? { 'retry-after': RETRY_AFTER_S } : {}
  return new Problem(status, error.code, 'This cannot be done.', describeError(error), { headers })
}
