/**
 * Runs one statement of a caller so that it can only read. The extended protocol allows a single
 * statement, and it must be a SELECT. It runs in a read-only transaction with a timeout, which is
 * always rolled back: that undoes any SET inside the statement. The login has no other rights than
 * SELECT anyway.
 */
import type { Socket } from 'node:net'
import { DatabaseError } from 'pg'
import { OperatorError } from '#core/errors.ts'
import { isStatementError, type Client, type Pool } from '#core/node/pool.ts'
import { withDeadline } from '#core/waiting.ts'
import type { GatewayLimits } from './config.ts'
import { readOnlyQuery, type Field } from './read-only-query.ts'

export interface Statement {
  readonly query: string
  readonly params: readonly (string | number | boolean | null)[]
}

/** The answer in the format of Neon's driver: every value in Postgres's text format. */
export interface Answer {
  readonly command: string
  readonly rowCount: number
  readonly rowAsArray: true
  readonly rows: readonly (readonly (string | null)[])[]
  readonly fields: readonly {
    readonly name: string
    readonly tableID: number
    readonly columnID: number
    readonly dataTypeID: number
    readonly dataTypeSize: number
    readonly dataTypeModifier: number
    readonly format: 'text'
  }[]
}

/**
 * Functions that a reader may call in a read-only transaction although they affect others: they end
 * sessions, write to the log, or run SQL from strings, which could hide such names. Identifiers
 * with escapes could hide them too.
 */
const REFUSED = new RegExp(
  [
    '\\bpg_(?:terminate|cancel)_backend\\b',
    '\\bpg_(?:logical|replication|notify|reload|rotate|switch|create|drop|stat_reset)\\w*',
    '\\b(?:query|cursor|table|schema|database)_to_xml\\w*',
    '\\bts_(?:stat|rewrite)\\b',
    // Jobs and migrations use these locks. The next ones use up transaction ids or leave a file.
    '\\bpg_(?:try_)?advisory_\\w+',
    '\\b(?:txid_current|pg_current_xact_id)\\b',
    '\\bpg_export_snapshot\\b',
    '\\b(?:lo|dblink)_\\w+|\\bdblink\\b',
    '\\bu&"',
  ].join('|'),
  'i',
)

export async function runQuery(
  pool: Pool,
  statement: Statement,
  limits: GatewayLimits,
): Promise<Answer> {
  if (!/^\s*(?:select|with)\b/i.test(statement.query)) {
    throw new OperatorError('not_a_select', 'A statement must begin with SELECT or WITH.')
  }
  const function_name = REFUSED.exec(statement.query)?.[0]
  if (function_name !== undefined) {
    throw new OperatorError('function_refused', `${function_name} is not allowed in a query.`)
  }
  return run(pool, statement, limits, false)
}

/** A statement of ours, with parameters of callers. */
export function runOwnQuery(
  pool: Pool,
  statement: Statement,
  limits: GatewayLimits,
): Promise<Answer> {
  return run(pool, statement, limits, true)
}

async function run(
  pool: Pool,
  statement: Statement,
  limits: GatewayLimits,
  is_ours: boolean,
): Promise<Answer> {
  const client = await connect(pool)
  const { statement_timeout_ms } = limits
  try {
    // Postgres enforces statement_timeout itself, unless its process is frozen.
    const limit_ms = statement_timeout_ms + ANSWER_LIMIT_MS
    const answer = await within(limit_ms, readRows(client, statement, limits, is_ours))
    client.release()
    return answer
  } catch (error) {
    if (isStatementError(error)) leave(client)
    else client.release(true)
    throw error
  }
}

/** Postgres counts as unreachable if it takes longer for something that needs no work. */
export const ANSWER_LIMIT_MS = 1_000

async function connect(pool: Pool): Promise<Client> {
  try {
    return await pool.connect()
  } catch (cause) {
    throw isRefused(cause)
      ? new OperatorError('database_refused', 'Postgres refused this login or database.', { cause })
      : unreachable(cause)
  }
}

/** A wrong password, role or database: retrying does not help. */
function isRefused(error: unknown): boolean {
  return error instanceof DatabaseError && /^(?:28|3D)/.test(error.code ?? '')
}

function unreachable(cause: unknown): OperatorError {
  return new OperatorError('database_unreachable', 'Postgres cannot be reached.', {
    retryable: true,
    cause,
  })
}

function within<T>(limit_ms: number, work: Promise<T>): Promise<T> {
  return withDeadline(work, limit_ms, () =>
    unreachable(new Error(`Postgres did not answer within ${limit_ms} ms.`)),
  )
}

/** Ends the transaction of a statement that failed. The caller does not need to wait for it. */
function leave(client: Client): void {
  client.query('rollback; select pg_advisory_unlock_all()').then(
    () => client.release(),
    () => client.release(true),
  )
}

/** Allowance for lengths and row headers of an answer. */
const PROTOCOL_BYTES = 1 << 20

function readRows(
  client: Client,
  { query, params }: Statement,
  limits: GatewayLimits,
  is_ours: boolean,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const rows: (readonly (string | null)[])[] = []
    let fields: readonly Field[] = []
    let byte_count = 0
    const tooLarge = (what: string): void => {
      // The connection would still deliver the rest, so it is closed together with the query.
      reject(new OperatorError('answer_too_large', `The answer has more than ${what}.`))
    }
    // The driver buffers a value until it is complete; one of 512 MB would crash this process.
    // pg's types leave the connection out.
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
    let received = 0
    const count = (chunk: Buffer): void => {
      received += chunk.byteLength
      if (received <= limits.response_bytes_max * 2 + PROTOCOL_BYTES) return
      tooLarge(`${limits.response_bytes_max} bytes`)
      stream.destroy()
    }
    stream.prependListener('data', count)
    const running = readOnlyQuery({
      query,
      params,
      timeout_ms: limits.statement_timeout_ms,
      is_ours,
      onFields: (described) => (fields = described),
      onRow(row) {
        rows.push(row)
        for (const value of row) byte_count += value === null ? 0 : Buffer.byteLength(value)
        if (rows.length > limits.row_count_max) tooLarge(`${limits.row_count_max} rows`)
        if (byte_count > limits.response_bytes_max) tooLarge(`${limits.response_bytes_max} bytes`)
      },
      onError(error) {
        stream.off('data', count)
        reject(error as Error)
      },
      onEnd(command) {
        stream.off('data', count)
        resolve({
          command,
          rowCount: rows.length,
          rowAsArray: true,
          rows,
          fields: fields.map((f) => ({
            name: f.name,
            tableID: f.tableID,
            columnID: f.columnID,
            dataTypeID: f.dataTypeID,
            dataTypeSize: f.dataTypeSize,
            dataTypeModifier: f.dataTypeModifier,
            format: 'text',
          })),
        })
      },
    })
    client.query(running)
  })
}
