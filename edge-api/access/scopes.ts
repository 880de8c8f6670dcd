/** Which scope a request needs. What describes the service itself needs none. */
import type { Scope } from './token.ts'

const OPEN: ReadonlySet<string> = new Set(['/', '/health', '/openapi.json'])
/** A date of a dataset and everything below it hands out signed URLs; the lists do not. */
const DATASET_FILES = /^\/v1\/datasets\/[^/]+\/./

/** Undefined: nobody is asked for a token. */
export function scopeOf(path: string): Scope | undefined {
  if (OPEN.has(path)) return undefined
  if (DATASET_FILES.test(path)) return 'datasets'
  if (path === '/v1/jobs' || path.startsWith('/v1/jobs/')) return 'ops'
  return 'read'
}
