/**
 * Rows that arrive after their hour was archived. The writer logs rows that it adds below a table's
 * threshold (sql/migrations/0014_rollups.sql), and jobs log rows that they replace
 * (0040_archive_derived.sql). The archive raises the threshold before it reads an hour, and deletes
 * log entries together with recording the version that holds their rows.
 */
import { isDerived } from '#core/archived-tables.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { HOUR_US, micros, toIso } from '#core/time.ts'
import type { TableHour } from './records.ts'

/**
 * Waits for every writer that added rows before it could see the new threshold. Once this has
 * committed, every row of the hour that a later snapshot does not see is logged.
 */
export async function raiseThreshold(pool: Pool, { table_name, hour }: TableHour): Promise<void> {
  await pool.query('select marketdata.raise_invalidation_threshold($1, $2)', [
    isDerived(table_name) ? `archive.${table_name}` : table_name,
    toIso(micros(hour + HOUR_US)),
  ])
}

/** Ids of the hour's log entries. The range of an entry is always within one hour. */
export async function selectLate(
  client: Client,
  { table_name, hour }: TableHour,
): Promise<readonly string[]> {
  const { rows } = await client.query<{ id: string }>(
    `select id from marketdata.invalidations
     where consumer = 'archive' and table_name = $1 and lowest >= $2 and lowest < $3`,
    [table_name, toIso(hour), toIso(micros(hour + HOUR_US))],
  )
  return rows.map(({ id }) => id)
}

export async function deleteLate(client: Client, ids: readonly string[]): Promise<void> {
  await client.query('delete from marketdata.invalidations where id = any ($1::bigint[])', [ids])
}
