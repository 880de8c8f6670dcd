/** What a Postgres error means for the batch. Codes: appendix A of the Postgres manual. */
import { DatabaseError } from 'pg'
import { describeError } from '#core/errors.ts'

export type Trouble =
  /**
   * A key is already stored, or two writers collided. The batch goes through the staging tables.
   */
  | 'clash'
  /** A row or another record that no retry can fix. */
  | 'bad_row'
  /** The hour's partition was dropped after we created it. */
  | 'no_partition'
  /** Tables or columns differ from what this build expects, or a permission is missing. */
  | 'schema'
  /** The connection broke. Whether the transaction committed is unknown. */
  | 'lost'
  /** Postgres cannot write now: disk full, shutting down, read-only ... */
  | 'refused'

export function troubleOf(error: unknown): Trouble {
  if (!(error instanceof DatabaseError) || error.severity !== 'ERROR') return 'lost'
  const code = error.code ?? ''
  if (code === '23505' || code === '40P01' || code === '40001') return 'clash'
  if (code === '23514' && error.constraint === undefined) return 'no_partition'
  // 54: larger than an index or a page allows. P0001: a trigger raised an error.
  if (/^(22|23|54)/.test(code) || code === 'P0001') return 'bad_row'
  if (code.startsWith('42') || code === '3F000') return 'schema'
  return 'refused'
}

/** For logs and dead letters. Carries the server's message, which never holds a password. */
export function describeTrouble(error: unknown): {
  readonly sqlstate: string
  readonly error: string
} {
  const sqlstate = error instanceof DatabaseError ? (error.code ?? '') : ''
  return { sqlstate, error: describeError(error) }
}
