/** Whether a backup may be restored into this database. */
import { OperatorError } from '#core/errors.ts'
import type { Client } from '#core/node/pool.ts'
import { TABLE_FATES } from '../backup/tables.ts'

export type Target =
  /** No schema, or one without a row of ours. */
  | { readonly kind: 'empty'; readonly has_schema: boolean }
  /** The state is in place; hours of the range may be missing. */
  | { readonly kind: 'begun'; readonly backup_id: string }

/** Rows that a migration makes, or that say nothing. */
const ALWAYS_THERE: ReadonlySet<string> = new Set([
  'cluster_epoch',
  'schema_migrations',
  'invalidation_thresholds',
  'live_epoch',
  'rollup_watermarks',
])

/** Throws `database_not_empty`. */
export async function inspectTarget(client: Client): Promise<Target> {
  const { rows: tables } = await client.query<{ name: string }>(
    `select relname as name from pg_class c
     where relnamespace = to_regnamespace('marketdata') and relkind in ('r', 'p')
       and not relispartition
     -- Partitioned tables last: looking into one locks all of its partitions.
     order by relkind = 'p', relname`,
  )
  const names = tables.map(({ name }) => name)
  if (names.includes('restores')) {
    const { rows } = await client.query<{ backup_id: string }>(
      'select backup_id from marketdata.restores where finished_at is null',
    )
    if (rows[0] !== undefined) return { kind: 'begun', backup_id: rows[0].backup_id }
  }
  for (const name of names) {
    if (ALWAYS_THERE.has(name)) continue
    const { rowCount } = await client.query(`select from marketdata.${name} limit 1`)
    if (rowCount === 1) throw notEmpty(name)
  }
  const { rows: schema } = await client.query<{ found: boolean }>(
    "select to_regnamespace('marketdata') is not null as found",
  )
  const unknown = names.filter((name) => !Object.hasOwn(TABLE_FATES, name))
  if (unknown.length > 0) throw notEmpty(unknown[0]!)
  return { kind: 'empty', has_schema: schema[0]!.found }
}

function notEmpty(table_name: string): OperatorError {
  return new OperatorError(
    'database_not_empty',
    `The database is not empty: marketdata.${table_name} has rows.`,
    {
      hint:
        'Restore into a new database. To replace this one, stop every program, and then run ' +
        '`drop schema marketdata cascade` and `drop schema if exists graphile_worker cascade`.',
    },
  )
}
