/** What an error of Postgres means for the batch that met it. Codes: appendix A of its manual. */
import pg from 'pg'
import { describeError } from '#core/errors.ts'

export type Trouble =
  /** A key is there already, or two writers crossed: the batch goes through the staging tables. */
  | 'clash'
  /** A row, or another record, that no retry makes good. */
  | 'bad_row'
  /** The hour's partition is gone since we made sure of it. */
  | 'no_partition'
  /** Tables or columns are not what this build expects, or we may not use them. */
  | 'schema'
  /** The connection broke; what became of the transaction is unknown. */
  | 'lost'
  /** Postgres cannot take it now: disk full, shutting down, read-only ... */
  | 'refused'

export function troubleOf(error: unknown): Trouble {
  if (!(error instanceof pg.DatabaseError) || error.severity !== 'ERROR') return 'lost'
  const code = error.code ?? ''
  if (code === '23505' || code === '40P01' || code === '40001') return 'clash'
  if (code === '23514' && error.constraint === undefined) return 'no_partition'
  // 54: larger than an index or a page takes. P0001: a trigger says no.
  if (/^(22|23|54)/.test(code) || code === 'P0001') return 'bad_row'
  if (code.startsWith('42') || code === '3F000') return 'schema'
  return 'refused'
}

/** For logs and dead letters: the server's own words, which never hold a password. */
export function describeTrouble(error: unknown): { readonly sqlstate: string; readonly error: string } {
  const sqlstate = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
  return { sqlstate, error: describeError(error) }
}
