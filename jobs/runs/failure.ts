/** An error in transit between threads or processes, which do not preserve its class. */
import { OperatorError } from '#core/errors.ts'

export interface Failure {
  /** Undefined if it was not an OperatorError. */
  readonly code: string | undefined
  readonly message: string
  readonly hint?: string
  readonly retryable: boolean
}

export function failureOf(error: unknown): Failure {
  if (error instanceof OperatorError) {
    const { code, message, hint, retryable } = error
    return { code, message, retryable, ...(hint === undefined ? {} : { hint }) }
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: undefined, message, retryable: false }
}

export function errorFrom({ code, message, ...options }: Failure): Error {
  return code === undefined ? new Error(message) : new OperatorError(code, message, options)
}
