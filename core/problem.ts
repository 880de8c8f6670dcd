/**
 * A request that cannot be answered, as RFC 9457 problem documents say it. Shared by the edge API
 * and the admin APIs; which error becomes which problem is each program's matter.
 */
export interface ParameterError {
  readonly parameter: string
  /** What the caller sent, shortened; null where it was missing. */
  readonly found: string | null
  readonly allowed: string
}

export interface ProblemOptions {
  readonly errors?: readonly ParameterError[]
  readonly headers?: Readonly<Record<string, string>>
  /** Answered in place of the problem document, where callers know another form. */
  readonly body?: Readonly<Record<string, unknown>>
}

/** A request that cannot be answered, and what the caller can do about it. */
export class Problem extends Error {
  readonly status: number
  /** A constant: the end of the document's `type`. */
  readonly code: string
  readonly title: string
  readonly options: ProblemOptions

  constructor(
    status: number,
    code: string,
    title: string,
    detail: string,
    options: ProblemOptions = {},
  ) {
    super(detail)
    this.name = 'Problem'
    this.status = status
    this.code = code
    this.title = title
    this.options = options
  }
}

/** 400 for one or more parameters. */
export function badParameters(errors: readonly ParameterError[]): Problem {
  const detail = errors.map((e) => `${e.parameter} must be ${e.allowed}.`).join(' ')
  return new Problem(400, 'bad_parameter', 'A parameter is not allowed.', detail, { errors })
}

/** Shortens what the caller sent, so that an error is never larger than a screen. */
export function found(value: string | undefined): string | null {
  if (value === undefined) return null
  return value.length <= 100 ? value : `${value.slice(0, 100)}…`
}

export function problemResponse(problem: Problem, request_url: string): Response {
  const { errors, headers, body } = problem.options
  const document = {
    type: `urn:booktape:problem:${problem.code}`,
    title: problem.title,
    status: problem.status,
    detail: problem.message,
    instance: found(new URL(request_url).pathname),
    ...(errors === undefined ? {} : { errors }),
  }
  return new Response(JSON.stringify(body ?? document), {
    status: problem.status,
    headers: {
      'content-type': body === undefined ? 'application/problem+json' : 'application/json',
      'cache-control': 'no-store',
      ...headers,
    },
  })
}
