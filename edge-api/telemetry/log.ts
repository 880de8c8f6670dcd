/** The log of a worker is its console: one JSON line for each entry. */
import { describeError } from '#core/errors.ts'
import { Problem } from '../problem.ts'
import type { RequestFacts } from './request-facts.ts'

/** Overload is only a warning. */
export function logError(error: unknown, request?: RequestFacts): void {
  const is_overload = error instanceof Problem && error.code === 'too_busy'
  write(is_overload ? 'warn' : 'error', { error: describeError(error), ...request })
}

/** Logs a request that a rate limit refused, or that took `slow_ms` or more; no failed one. */
export function logRequest(request: RequestFacts, slow_ms: number): void {
  const { status, source, duration_ms } = request
  if (status >= 500) return
  if (status === 429) return write('warn', { msg: 'A rate limit refused it.', ...request })
  // Callers of the live stream want to wait.
  if (duration_ms < slow_ms || source === 'live') return
  write('warn', { msg: 'The request was slow.', ...request })
}

function write(level: 'warn' | 'error', fields: object): void {
  console[level](JSON.stringify({ level, program: 'edge-api', ...fields }))
}
