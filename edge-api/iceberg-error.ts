/** Errors below /iceberg/, in the form of the Iceberg REST specification. */
import { Problem } from '#core/problem.ts'

const TYPES: Readonly<Record<number | string, string>> = {
  unknown_namespace: 'NoSuchNamespaceException',
  unknown_table: 'NoSuchTableException',
  400: 'BadRequestException',
  401: 'NotAuthorizedException',
  403: 'ForbiddenException',
  404: 'NotFoundException',
  405: 'UnsupportedOperationException',
  413: 'BadRequestException',
  429: 'TooManyRequestsException',
  503: 'ServiceUnavailableException',
}

/** The same problem, with the body that clients of the catalogue know. */
export function asIcebergError(problem: Problem): Problem {
  const { status, code, title, message, options } = problem
  if (options.body !== undefined) return problem
  const type = TYPES[code] ?? TYPES[status] ?? 'InternalServerError'
  const body = { error: { message: `${title} ${message}`, type, code: status } }
  return new Problem(status, code, title, message, { ...options, body })
}
