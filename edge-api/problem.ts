/**
 * Errors as RFC 9457 problem documents. Only `toProblem` turns an error into a status; all other
 * code throws a Problem (the caller's fault) or an OperatorError (ours). The message of an unknown
 * error may contain secrets, so it never reaches the caller.
 */
import type { Context } from 'hono'
import { OperatorError } from '#core/errors.ts'
import { Problem, problemResponse } from '#core/problem.ts'
import { asIcebergError } from './iceberg-error.ts'

export {
  badParameters,
  found,
  type ParameterError,
  Problem,
  type ProblemOptions,
  problemResponse,
} from '#core/problem.ts'

/** Status of each operating error, by its code. All other codes are a 500. */
const OPERATING: Readonly<Record<string, { readonly status: number; readonly title: string }>> = {
  database_unreachable: { status: 503, title: 'The database cannot be reached.' },
  database_busy: { status: 503, title: 'The database is busy.' },
  book_too_far: { status: 503, title: 'The book would take too long to rebuild.' },
  revocations_unreachable: { status: 503, title: 'The token cannot be checked now.' },
  query_timeout: { status: 503, title: 'The query took too long.' },
  live_unreachable: { status: 503, title: 'The live server does not respond.' },
  clusters_unreachable: { status: 503, title: 'The cluster engine does not respond.' },
  clusters_computing: { status: 503, title: 'The clusters are being computed.' },
  clusters_changing: { status: 503, title: 'The clusters are changing.' },
  clusters_not_registered: { status: 503, title: 'The cluster engine is starting.' },
  clusters_busy: { status: 503, title: 'The cluster engine is busy.' },
  clusters_refused: { status: 502, title: 'The cluster engine refused this service.' },
  object_store_unreachable: { status: 503, title: 'The object store cannot be reached.' },
  gateway_refused: { status: 502, title: 'The database refused this service.' },
  object_store_refused: { status: 502, title: 'The object store refused this service.' },
  object_too_large: { status: 502, title: 'An object exceeds the size limit.' },
  archive_damaged: { status: 502, title: 'An archive file is corrupt.' },
  dataset_corrupt: { status: 502, title: 'A dataset is corrupt.' },
}

const RETRY_AFTER_S = '5'

/** Turns anything thrown into an answer. */
export function toProblem(error: unknown, c: Context): Response {
  const problem = asProblem(error)
  const is_iceberg = c.req.path.startsWith('/iceberg/')
  return problemResponse(is_iceberg ? asIcebergError(problem) : problem, c.req.url)
}

/** The code of the problem that this error becomes. */
export function codeOf(error: unknown): string {
  return asProblem(error).code
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof OperatorError) {
    const known = OPERATING[error.code]
    if (known !== undefined) {
      const detail = error.hint === undefined ? error.message : `${error.message} ${error.hint}`
      const headers: Record<string, string> = error.retryable
        ? { 'retry-after': RETRY_AFTER_S }
        : {}
      return new Problem(known.status, error.code, known.title, detail, { headers })
    }
  }
  return new Problem(500, 'internal_error', 'Internal error.', 'The error was logged.')
}
