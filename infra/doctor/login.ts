/** Whose connection to Postgres is looked at. */

/** `writer`: of ingestor and jobs. `reader`: of the gateway. */
export type Login = 'writer' | 'reader'

export interface Database {
  readonly database_url: string
  readonly login: Login
  /** Programs that use it, for people. */
  readonly programs: string
  /** How many connections they hold at most. */
  readonly connection_count: number
}
