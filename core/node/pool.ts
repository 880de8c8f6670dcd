/**
 * Connections to Postgres. `pg.Pool.query()` destroys its connection on any SQL error. `withClient`
 * keeps the connection if only the statement failed.
 */
import { DatabaseError, Pool as PgPool, type PoolClient } from 'pg'

export type Pool = PgPool
export type Client = PoolClient

const CONNECT_LIMIT_MS = 10_000

/** Of those that this version of Postgres has. */
const SET_SETTINGS = `select set_config(s.name, wanted.value, false)
  from unnest($1::text[], $2::text[]) as wanted (name, value)
  join pg_settings s on s.name = wanted.name`

/** How times and numbers are written. A pooler passes some of these on per client. */
const FORMATS = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
}

/**
 * A login or a server may have limits that suit people, such as five seconds for a statement. Each
 * program has its own: a statement ends within minutes, and a session that holds a lock may be idle
 * for as long as the job runs.
 */
const LIMITS = {
  statement_timeout: '10min',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '10min',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  default_transaction_isolation: 'read committed',
}

/** `shared`: sessions of a pooler, whose limits are not ours to set. */
export type SessionKind = 'own' | 'shared'

/** A pool in UTC whose idle connection errors do not end the process. */
export function createPool(
  database_url: string,
  application_name: string,
  max = 4,
  connect_limit_ms = CONNECT_LIMIT_MS,
  session: SessionKind = 'own',
): Pool {
  const settings = session === 'own' ? { ...FORMATS, ...LIMITS } : FORMATS
  const pool = new PgPool({
    connectionString: withRootCertificate(database_url, process.env['PGSSLROOTCERT']),
    application_name,
    max,
    connectionTimeoutMillis: connect_limit_ms,
    // A statement, because poolers refuse startup `options`. pgbouncer tracks this setting per
    // client.
    onConnect: async (client) => {
      const values = [Object.keys(settings), Object.values(settings)]
      const statement = { text: SET_SETTINGS, values, query_timeout: connect_limit_ms }
      await client.query(statement)
    },
  })
  // An idle connection that Postgres closes is replaced at the next checkout.
  pool.on('error', () => undefined)
  // If a connection breaks while it is checked out, its statement fails. Without a listener the
  // 'error' event would also end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/**
 * pg treats sslmode require, prefer and verify-ca as verify-full, with a warning; rewriting the URL
 * avoids the warning. `root_file` is libpq's PGSSLROOTCERT, which pg does not read.
 */
export function withRootCertificate(database_url: string, root_file: string | undefined): string {
  if (/[?&]uselibpqcompat=true/.test(database_url)) return database_url
  const url = database_url.replace(
    /([?&]sslmode=)(?:require|prefer|verify-ca)(?=&|$)/,
    '$1verify-full',
  )
  const needs_root = url.includes('sslmode=verify-full') && !/[?&]sslrootcert=/.test(url)
  if (!needs_root || root_file === undefined || root_file === '') return url
  return `${url}&sslrootcert=${encodeURIComponent(root_file)}`
}

export async function withClient<T>(pool: Pool, use: (client: Client) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    const result = await use(client)
    client.release()
    return result
  } catch (error) {
    client.release(isStatementError(error) ? undefined : true)
    throw error
  }
}

/** Runs `use` in one transaction; anything thrown rolls it back. */
export function inTransaction<T>(pool: Pool, use: (client: Client) => Promise<T>): Promise<T> {
  return withClient(pool, async (client) => {
    await client.query('begin')
    try {
      const result = await use(client)
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(() => undefined)
      throw error
    }
  })
}

/** True if Postgres refused the statement but the connection is still good. */
export function isStatementError(error: unknown): boolean {
  return error instanceof DatabaseError && error.severity === 'ERROR'
}
