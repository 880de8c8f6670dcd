/**
 * The error class for failures that an operator can act on. Messages say what was found, what was
 * expected and what to do. Programs print `message` and `hint`; machines read `code`.
 */
export class OperatorError extends Error {
  /** A constant, reused as the metric label. */
  readonly code: string
  /** What to do about it, as a sentence. */
  readonly hint: string | undefined
  /** True if the same call may succeed later without any change. */
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

/** The message of anything thrown, plus the hint if there is one; never a stack. */
export function describeError(error: unknown): string {
  if (error instanceof OperatorError && error.hint !== undefined) {
    return `${error.message} ${error.hint}`
  }
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(describeError).join('; ')
  }
  if (!(error instanceof Error)) return String(error)
  return isUntrusted(error) ? `${error.message}. ${UNTRUSTED_HINT}` : error.message
}

/** OpenSSL's codes for a certificate whose authority this machine does not trust. */
const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])
const UNTRUSTED_HINT =
  "Save the CA certificate of the server's provider to a file. For Postgres, name the file in " +
  'DATABASE_URL (postgres://…?sslmode=verify-full&sslrootcert=/path/ca.crt); for other servers, ' +
  'in NODE_EXTRA_CA_CERTS.'

function isUntrusted(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && UNTRUSTED.has(error.code)
}
