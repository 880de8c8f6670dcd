/**
 * The worker's Postgres client: fixed SQL with parameters, sent over HTTP in the format of Neon's
 * driver to the gateway (or to Neon). The driver itself also implements Postgres over WebSockets,
 * and would be a quarter of the worker's script. Values are parsed to core's types: timestamptz to
 * microseconds, bigint and double to numbers, arrays of doubles to one flat array. Failures are
 * OperatorErrors.
 */
import { Breaker } from '#core/breaker.ts'
import { OperatorError } from '#core/errors.ts'
import { sendAgainIfLost } from '#core/lost-connections.ts'
import { micros, type Micros } from '#core/time.ts'

export type Parameter = string | number | boolean | null

export interface Database {
  /** `Row` must match what the SQL selects. A query file keeps the two together. */
  query<Row>(sql: string, parameters: readonly Parameter[]): Promise<readonly Row[]>
}

/** Longer than the gateway's statement timeout. */
export const TIMEOUT_MS = 7_000
/** After the database did not respond, it gets no query for this long; cold data needs none. */
const PAUSE_MS = 2_000

export function createGatewayBreaker(): Breaker {
  return new Breaker(PAUSE_MS, () => Date.now())
}

export function createDatabase(
  options: {
    readonly database_url: string
    readonly gateway_url: string
    /** Undefined for Neon, which needs only the connection string. */
    readonly gateway_secret: string | undefined
  },
  breaker = createGatewayBreaker(),
): Database {
  const { database_url, gateway_url, gateway_secret } = options
  const headers = {
    'neon-connection-string': database_url,
    // Values in Postgres's text format, each row as an array.
    'neon-raw-text-output': 'true',
    'neon-array-mode': 'true',
    ...(gateway_secret === undefined ? {} : { authorization: `Bearer ${gateway_secret}` }),
  }
  return {
    async query<Row>(query: string, params: readonly Parameter[]) {
      if (!breaker.allows()) throw unreachable()
      try {
        const body = JSON.stringify({ query, params: params.map(textOf) })
        const answer = await post(`${gateway_url}/sql`, headers, body)
        breaker.succeeded()
        return rowsOf<Row>(answer)
      } catch (error) {
        if (isUnreachable(error)) breaker.failed()
        else breaker.succeeded()
        throw error
      }
    },
  }
}

/** Result of a statement: values in Postgres's text format, in the order of the fields. */
export interface Answer {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[]
  readonly rows: readonly (readonly (string | null)[])[]
}

/** Converts a parameter like Neon's driver. */
function textOf(parameter: Parameter): string | null {
  return parameter === null ? null : String(parameter)
}

async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<Answer> {
  // Not AbortSignal.timeout(): its timer would stay after the answer.
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), TIMEOUT_MS)
  try {
    const init = { method: 'POST', headers, body, signal: late.signal }
    const response = await sendAgainIfLost(() => fetch(url, init)).catch((cause: unknown) => {
      throw unreachable(cause)
    })
    if (response.status !== 200 && response.status !== 400) throw await refusal(response)
    // A truncated answer means that the gateway disconnected.
    const answer: unknown = await response.json().catch((cause: unknown) => {
      throw unreachable(cause)
    })
    if (response.status === 400) throw statementError(answer as StatementFailure)
    return answer as Answer
  } finally {
    clearTimeout(timer)
  }
}

export function rowsOf<Row>({ fields, rows }: Answer): readonly Row[] {
  const parsers = fields.map(({ dataTypeID }) => parserOf(dataTypeID))
  return rows.map((values) => {
    const row: Record<string, unknown> = {}
    for (const [i, value] of values.entries()) {
      row[fields[i]!.name] = value === null ? null : parsers[i]!(value)
    }
    return row as Row
  })
}

/** Parses a timestamptz that Postgres wrote in UTC, like `2024-08-08 23:54:16.313+00`. */
export function parseTimestamp(text: string): Micros {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/.exec(text)
  if (match === null) throw new TypeError('Postgres returned a time that is not in UTC.')
  const whole_ms = Date.parse(`${match[1]}T${match[2]}Z`)
  return micros(whole_ms * 1_000 + Number((match[3] ?? '').padEnd(6, '0')))
}

const OID = {
  bool: 16,
  int8: 20,
  int4: 23,
  json: 114,
  float8: 701,
  float8_array: 1022,
  timestamptz: 1184,
  jsonb: 3802,
}

function parserOf(oid: number): (text: string) => unknown {
  switch (oid) {
    case OID.bool:
      return (text) => text === 't'
    case OID.int8:
    case OID.int4:
    case OID.float8:
      return Number
    case OID.timestamptz:
      return parseTimestamp
    case OID.float8_array:
      return flatNumbers
    case OID.json:
    case OID.jsonb:
      return (text) => JSON.parse(text) as unknown
    default:
      return (text) => text
  }
}

/** The numbers of an array with any number of dimensions, like '{{61800.2,0.5},{61800.3,1}}'. */
function flatNumbers(text: string): Float64Array {
  return Float64Array.from(JSON.parse(`[${text.replaceAll(/[{}]/g, '')}]`) as number[])
}

/** The error for a status that the gateway, not Postgres, caused. */
export async function refusal(response: Response): Promise<OperatorError> {
  const { status } = response
  if (status >= 500) {
    const body: unknown = await response.json().catch(() => undefined)
    const code = (body as { readonly code?: unknown } | undefined)?.code
    // A proxy in front of the gateway answers 502 or similar when the gateway is down.
    if (code === UNREACHABLE || status !== 503) return unreachable()
    return new OperatorError('database_busy', 'The database cannot take more queries now.', {
      hint: 'Try again in a few seconds.',
      retryable: true,
    })
  }
  await response.body?.cancel()
  return new OperatorError(
    'gateway_refused',
    `The database gateway answered with status ${status}.`,
  )
}

const UNREACHABLE = 'database_unreachable'
const QUERY_CANCELED = '57014'

export function isUnreachable(error: unknown): boolean {
  return error instanceof OperatorError && error.code === UNREACHABLE
}

export function unreachable(cause?: unknown): OperatorError {
  return new OperatorError(UNREACHABLE, 'The database does not respond.', {
    hint: 'Try again in a few seconds.',
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  })
}

interface StatementFailure {
  readonly message?: unknown
  /** SQLSTATE; null or missing if the gateway itself refused the statement. */
  readonly code?: unknown
}

function statementError({ message, code }: StatementFailure): OperatorError {
  const said = `${String(code ?? 'no SQLSTATE')}: ${String(message)}`
  if (code !== QUERY_CANCELED) {
    return new OperatorError('query_failed', `The database refused a query: ${said}.`)
  }
  return new OperatorError('query_timeout', 'The query was cancelled because it took too long.', {
    hint: 'Request a shorter range or a lower limit.',
    cause: new Error(said),
  })
}
