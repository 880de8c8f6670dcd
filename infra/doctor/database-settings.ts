/** Settings of Postgres that can lose rows or leave the programs without locks or connections. */
import type { Client } from '#core/node/pool.ts'
import { failure, fine, type Finding, type Level, warning } from './finding.ts'
import type { Database, Login } from './login.ts'

interface Rule {
  readonly name: string
  readonly level: Exclude<Level, 'ok'>
  /** `setting`: the value in pg_settings, in the setting's own unit. */
  isGood(setting: string): boolean
  readonly expected: string
  readonly todo: string
}

const SERVER = 'Set it in postgresql.conf, or in the settings of your provider.'
const ROLE = 'Set it for this login: `alter role … set …`, or `reset`.'

const is =
  (expected: string) =>
  (setting: string): boolean =>
    setting === expected

const EVERYBODY: readonly Rule[] = [
  {
    name: 'server_encoding',
    level: 'error',
    isGood: is('UTF8'),
    expected: 'UTF8',
    todo: 'Create a database with this encoding.',
  },
]

const WRITERS: readonly Rule[] = [
  {
    name: 'fsync',
    level: 'error',
    isGood: is('on'),
    expected: 'on: otherwise a crash of the machine loses committed rows',
    todo: SERVER,
  },
  {
    name: 'full_page_writes',
    level: 'error',
    isGood: is('on'),
    expected: 'on: otherwise a crash can corrupt a table',
    todo: SERVER,
  },
  {
    name: 'autovacuum',
    level: 'error',
    isGood: is('on'),
    expected: 'on: otherwise statistics become stale and transaction ids run out',
    todo: SERVER,
  },
  {
    name: 'max_locks_per_transaction',
    level: 'warning',
    isGood: (setting) => Number(setting) >= 64,
    expected: 'at least 64: a read locks every partition in its span',
    todo: SERVER,
  },
  {
    name: 'default_transaction_read_only',
    level: 'error',
    isGood: is('off'),
    expected: 'off for the login of ingestor and jobs',
    todo: ROLE,
  },
]

/** Reads reset_val, the value of the login, because `client` sets its own statement_timeout. */
export async function lookAtSettings(client: Client, login: Login): Promise<readonly Finding[]> {
  const rules = login === 'writer' ? [...EVERYBODY, ...WRITERS] : EVERYBODY
  const { rows } = await client.query<{ name: string; setting: string; unit: string | null }>(
    'select name, reset_val as setting, unit from pg_settings where name = any ($1)',
    [rules.map(({ name }) => name)],
  )
  const findings = rules.flatMap(({ name, level, isGood, expected, todo }): readonly Finding[] => {
    const row = rows.find((one) => one.name === name)
    if (row === undefined || isGood(row.setting)) return []
    const say = level === 'error' ? failure : warning
    const value = `${row.setting}${row.unit === null ? '' : ` ${row.unit}`}`
    return [say(`database.${login}.settings`, `${name} is ${value}.`, { expected, todo })]
  })
  const replica = login === 'writer' ? await lookForReplica(client) : []
  if (findings.length + replica.length > 0) return [...findings, ...replica]
  const names = rows.map(({ name }) => name).toSorted()
  return [fine(`database.${login}.settings`, `As expected: ${names.join(', ')}.`)]
}

async function lookForReplica(client: Client): Promise<readonly Finding[]> {
  const { rows } = await client.query<{ is_replica: boolean }>(
    'select pg_is_in_recovery() as is_replica',
  )
  if (rows[0]?.is_replica !== true) return []
  const todo = 'Name the primary in DATABASE_URL.'
  return [
    failure('database.writer.replica', 'This is a replica.', {
      expected: 'a server that accepts writes',
      todo,
    }),
  ]
}

interface Limits {
  readonly max_connections: number
  readonly reserved: number
  readonly role_limit: number
  readonly database_limit: number
  /** Connections of programs that are not booktape's. */
  readonly others: number
}

const LIMITS = `
select current_setting('max_connections')::int as max_connections,
  current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true), '0')::int as reserved,
  (select rolconnlimit from pg_roles where rolname = current_user) as role_limit,
  (select datconnlimit from pg_database where datname = current_database()) as database_limit,
  (select count(*)::int from pg_stat_activity
   where backend_type = 'client backend' and application_name not like 'booktape%') as others`

export async function lookAtConnections(
  client: Client,
  { login, programs, connection_count }: Database,
): Promise<readonly Finding[]> {
  const check = `database.${login}.connections`
  const { rows } = await client.query<Limits>(LIMITS)
  const { max_connections, reserved, role_limit, database_limit, others } = rows[0]!
  const limits = [max_connections - reserved, role_limit, database_limit]
  // -1: no limit.
  const limit = Math.min(...limits.filter((one) => one >= 0))
  const found =
    `${limit} connections are available (max_connections ${max_connections}, ${reserved} ` +
    `reserved); other programs hold ${others}. Needed for ${programs}: up to ${connection_count}.`
  const advice = {
    expected: `at least ${connection_count}, and free`,
    todo:
      'Raise max_connections or the limit of the login, ' +
      'or lower POOL_MAX and FEATURES_THREADS.',
  }
  if (limit < connection_count) return [failure(check, found, advice)]
  return [limit - others < connection_count ? warning(check, found, advice) : fine(check, found)]
}
