/** The scope that a request needs. The index, health and API description need none. */
import type { Scope } from '#core/access-token.ts'

const OPEN: ReadonlySet<string> = new Set([
  '/',
  '/health',
  '/openapi.json',
  // It checks the token in the body.
  '/iceberg/v1/oauth/tokens',
])
/**
 * A date of a dataset and its files give out signed URLs; the lists above them do not. The Iceberg
 * catalogue signs reads of whole files.
 */
const FILES = /^\/(?:v1\/datasets\/[^/]+\/.|iceberg\/)/
const OPS = /^\/v1\/(?:jobs(?:\/|$)|validation$)/

/** Undefined if no token is needed. */
export function scopeOf(path: string): Scope | undefined {
  if (OPEN.has(path)) return undefined
  if (FILES.test(path)) return 'datasets'
  if (OPS.test(path)) return 'ops'
  if (path === '/v1/live' || path.startsWith('/v1/live/')) return 'live'
  return 'read'
}
