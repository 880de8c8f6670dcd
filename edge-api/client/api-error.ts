/** An answer that is a problem document (RFC 9457), or no answer at all. */
import type { Problem } from './api.ts'

export class ApiError extends Error {
  /** 0: there was no answer. */
  readonly status: number
  /** The end of the problem's type, such as `unknown_symbol`. */
  readonly code: string
  /** The parameters that were refused, and what is allowed. */
  readonly errors: NonNullable<Problem['errors']>

  constructor(status: number, code: string, message: string, rest: ErrorRest = {}) {
    super(message, rest.cause === undefined ? undefined : { cause: rest.cause })
    this.name = 'ApiError'
    this.status = status
    this.code = code
    this.errors = rest.errors ?? []
  }
}

interface ErrorRest {
  readonly errors?: NonNullable<Problem['errors']> | undefined
  readonly cause?: unknown
}

export async function errorOf(response: Response): Promise<ApiError> {
  const { status } = response
  const body = (await response.json().catch(() => undefined)) as Partial<Problem> | undefined
  const code = body?.type?.split(':').at(-1) ?? 'no_problem_document'
  const errors = body?.errors
  const named = errors?.map((one) => `${one.parameter} must be ${one.allowed}`).join('; ')
  const message = `${status} ${code}: ${named ?? body?.detail ?? response.statusText}`
  return new ApiError(status, code, message, { errors })
}
