/**
 * The one error class for things an operator can act on. It says what was found, what was
 * expected and what to do; programs print `message` and `hint`, machines read `code`.
 */
export class OperatorError extends Error {
  /** A constant, reused as the metric label. */
  readonly code: string
  /** What to do about it, as a sentence. */
  readonly hint: string | undefined
  /** True where the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean

  constructor(
    code: string,
    message: string,
    options: { hint?: string; retryable?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'OperatorError'
    this.code = code
    this.hint = options.hint
    this.retryable = options.retryable ?? false
  }
}

/** The message of anything thrown, with the hint where there is one; never a stack. */
export function describeError(error: unknown): string {
  if (error instanceof OperatorError && error.hint !== undefined) {
    return `${error.message} ${error.hint}`
  }
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(describeError).join('; ')
  }
  return error instanceof Error ? error.message : String(error)
}
