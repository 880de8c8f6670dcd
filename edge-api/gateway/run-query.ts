/**
 * Runs one statement so that it can only read: the extended protocol takes a single statement,
 * it must be a SELECT, it runs in a read-only transaction with a timeout, and the transaction is
 * always rolled back, which undoes every SET it may have smuggled. The login behind it can only
 * select in any case.
 */
import type { Socket } from 'node:net'
import pg from 'pg'
import { OperatorError } from '#core/errors.ts'
import { isStatementError, type Client, type Pool } from '#core/node/pool.ts'
import { withDeadline } from '#core/waiting.ts'
import type { GatewayLimits } from './config.ts'

export interface Statement {
  readonly query: string
  readonly params: readonly (string | number | boolean | null)[]
}

/** The answer in the format of Neon's driver: every value as Postgres writes it. */
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
 * What a read-only transaction of a reader may call and yet acts on others: it ends their
 * sessions, writes to the log, or runs statements made of texts, which may hide such names. So may
 * identifiers with escapes.
 */
const REFUSED = new RegExp(
  [
    '\\bpg_(?:terminate|cancel)_backend\\b',
    '\\bpg_(?:logical|replication|notify|reload|rotate|switch|create|drop|stat_reset)\\w*',
    '\\b(?:query|cursor|table|schema|database)_to_xml\\w*',
    '\\bts_(?:stat|rewrite)\\b',
    // Jobs and migrations lock by these; the others use up transaction ids, or leave a file.
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
    throw new OperatorError(
      'not_a_select',
      'Only statements that begin with SELECT or WITH are run.',
    )
  }
  const function_name = REFUSED.exec(statement.query)?.[0]
  if (function_name !== undefined) {
    throw new OperatorError('function_refused', `${function_name} is not for readers.`)
  }
  const client = await connect(pool)
  const { statement_timeout_ms } = limits
  try {
    const begin = client.query(
      `begin read only; set local statement_timeout = ${statement_timeout_ms};
       set local idle_in_transaction_session_timeout = ${statement_timeout_ms}`,
    )
    await within(ANSWER_LIMIT_MS, begin)
    // Postgres stops a statement by itself, unless it is frozen.
    const running = readRows(client, statement, limits)
    const answer = await within(statement_timeout_ms + ANSWER_LIMIT_MS, running)
    leave(client)
    return answer
  } catch (error) {
    if (isStatementError(error)) leave(client)
    else client.release(true)
    throw error
  }
}

/** What takes no work has to be answered within it: a Postgres that does not is away. */
export const ANSWER_LIMIT_MS = 1_000

async function connect(pool: Pool): Promise<Client> {
  try {
    return await pool.connect()
  } catch (cause) {
    throw isRefused(cause)
      ? new OperatorError('database_refused', 'Postgres refuses this login or database.', { cause })
      : unreachable(cause)
  }
}

/** A wrong password, role or database: no repetition mends it. */
function isRefused(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(?:28|3D)/.test(error.code ?? '')
}

function unreachable(cause: unknown): OperatorError {
  return new OperatorError('database_unreachable', 'Postgres cannot be reached.', {
    retryable: true,
    cause,
  })
}

function within<T>(limit_ms: number, work: Promise<T>): Promise<T> {
  return withDeadline(work, limit_ms, () =>
    unreachable(new Error(`Postgres gave no answer for ${limit_ms} ms.`)),
  )
}

/** The caller has its answer already: nobody waits for this. Advisory locks outlive a rollback. */
function leave(client: Client): void {
  client.query('rollback; select pg_advisory_unlock_all()').then(
    () => client.release(),
    () => client.release(true),
  )
}

/** Lengths and row headers of an answer, besides its values. */
const PROTOCOL_BYTES = 1 << 20

const RAW_TEXT = { getTypeParser: () => (text: string) => text }

function readRows(
  client: Client,
  { query, params }: Statement,
  limits: GatewayLimits,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const rows: (string | null)[][] = []
    let byte_count = 0
    const tooLarge = (what: string): void => {
      // The connection still delivers the rest: it is given up together with the query.
      reject(new OperatorError('answer_too_large', `The answer has more than ${what}.`))
    }
    // A value is parsed once it is there whole, and one of 512 MB would end this process.
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
    let received = 0
    const count = (chunk: Buffer): void => {
      received += chunk.byteLength
      if (received <= limits.response_bytes_max * 2 + PROTOCOL_BYTES) return
      tooLarge(`${limits.response_bytes_max} bytes`)
      stream.destroy()
    }
    stream.prependListener('data', count)
    const running = new pg.Query<(string | null)[]>({
      text: query,
      values: [...params],
      rowMode: 'array',
      queryMode: 'extended',
      types: RAW_TEXT,
    } as pg.QueryArrayConfig)
    running.on('row', (row) => {
      rows.push(row)
      for (const value of row) byte_count += value === null ? 0 : Buffer.byteLength(value)
      if (rows.length > limits.row_count_max) tooLarge(`${limits.row_count_max} rows`)
      if (byte_count > limits.response_bytes_max) tooLarge(`${limits.response_bytes_max} bytes`)
    })
    running.on('error', (error) => {
      stream.off('data', count)
      reject(error)
    })
    running.on('end', ({ command, fields }) => {
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
    })
    client.query(running)
  })
}
