/** Reads from Postgres with a limit of time; where it does not answer, that is said in one way. */
import { describeError, OperatorError } from '#core/errors.ts'
import type { Pool } from '#core/node/pool.ts'

const LIMIT_MS = 10_000

/** Errors: OperatorError database_away. */
export async function select<Row extends object>(
  pool: Pool,
  text: string,
  values: readonly unknown[] = [],
  limit_ms = LIMIT_MS,
): Promise<readonly Row[]> {
  return whileThere(async () => {
    // pg gives up the connection too: one that hangs is not asked again.
    const query = { text, values: [...values], query_timeout: limit_ms }
    return (await pool.query<Row>(query)).rows
  })
}

/** Errors of `read` become OperatorError database_away. */
export async function whileThere<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause
    throw new OperatorError('database_away', `Postgres does not answer: ${describeError(cause)}.`, {
      hint: 'What needs no database is still shown; this page comes back by itself.',
      retryable: true,
      cause,
    })
  }
}
