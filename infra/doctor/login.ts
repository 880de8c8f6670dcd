/** The logins to Postgres that are checked. */

/** `writer`: of ingestor and jobs. `reader`: of the gateway. */
export type Login = 'writer' | 'reader'

export interface Database {
  readonly database_url: string
  readonly login: Login
  /** Programs that use it, for people. */
  readonly programs: string
  /** Most connections that these programs hold. */
  readonly connection_count: number
}
