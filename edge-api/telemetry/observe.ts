/** Measures every request, before all other handlers. Reports each failed one once. */
import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { Micros } from '#core/time.ts'
import { ANSWER_BYTES } from '../memory/send-body.ts'
import { codeOf } from '../problem.ts'
import { CACHE_OUTCOME, FACTS, SOURCE, type RequestFacts } from './request-facts.ts'

export interface ObserveOptions {
  now(): Micros
  /** Receives every answer from 500 up, with the error that caused it. */
  report(error: unknown, request: RequestFacts): void
  /** Receives every request of a caller, but not those that /mcp makes to the app itself. */
  note(request: RequestFacts): void
}

export function observe({ now, report, note }: ObserveOptions): MiddlewareHandler {
  return async (c, next) => {
    const begun_at = now()
    await next()
    const request = factsOf(c, (now() - begun_at) / 1_000)
    c.set(FACTS, request)
    if (request.status >= 500) {
      report(c.error ?? new Error(`The answer has the status ${request.status}.`), request)
    }
    if (isOfCaller(c)) note(request)
  }
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE'])

function factsOf(c: Context, duration_ms: number): RequestFacts {
  const { res, error } = c
  const body = c.get(ANSWER_BYTES) as Uint8Array | undefined
  const has_body = error === undefined && res.body !== null
  return {
    route: routeOf(c),
    method: METHODS.has(c.req.method) ? c.req.method : 'other',
    status: res.status,
    code: error === undefined ? 'none' : codeOf(error),
    cache: (c.get(CACHE_OUTCOME) as RequestFacts['cache'] | undefined) ?? 'none',
    source: (c.get(SOURCE) as RequestFacts['source'] | undefined) ?? 'none',
    duration_ms,
    bytes: has_body ? (body?.byteLength ?? 0) : 0,
  }
}

/** The first route besides the handlers of all paths; a cached answer does not reach its route. */
function routeOf(c: Context): string {
  const path = matchedRoutes(c).find((route) => route.path !== '/*')?.path
  return path?.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}') ?? 'none'
}

function isOfCaller(c: Context): boolean {
  try {
    return c.executionCtx !== undefined
  } catch {
    return false
  }
}
