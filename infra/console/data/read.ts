/** Reads from Postgres with a time limit. All failures become one of two errors. */
import { describeError, OperatorError } from '#core/errors.ts'
import { isStatementError, type Pool } from '#core/node/pool.ts'

const LIMIT_MS = 10_000

/** Errors: OperatorError database_away, database_refused. */
export async function select<Row extends object>(
  pool: Pool,
  text: string,
  values: readonly unknown[] = [],
  limit_ms = LIMIT_MS,
): Promise<readonly Row[]> {
  return whileThere(async () => {
    // pg also drops the connection, so one that hangs is not used again.
    const query = { text, values: [...values], query_timeout: limit_ms }
    return (await pool.query<Row>(query)).rows
  })
}

/** Classes of SQLSTATE after which Postgres still accepts the next statement. */
const PASSING = /^(?:53|57)/

/** Errors of `read` become OperatorError database_away, or database_refused if a query is wrong. */
export async function whileThere<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause
    if (isStatementError(cause) && !PASSING.test((cause as { code?: string }).code ?? '')) {
      const message = `Postgres refuses the query: ${describeError(cause)}.`
      const hint = 'Is the schema that of this build? `npx booktape doctor` compares them.'
      throw new OperatorError('database_refused', message, { hint, cause })
    }
    throw new OperatorError('database_away', `Postgres does not answer: ${describeError(cause)}.`, {
      hint: 'What needs no database is still shown; this page comes back by itself.',
      retryable: true,
      cause,
    })
  }
}
