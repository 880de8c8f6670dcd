/**
 * Rows that come after their hour was archived. The writer logs what it adds below a table's
 * threshold (sql/migrations/0014_rollups.sql), and jobs what they replace
 * (0040_archive_derived.sql); here the threshold is raised before an hour is read, and what was
 * logged is deleted with the version that holds it.
 */
import { isDerived } from '#core/archived-tables.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { HOUR_US, micros, toIso } from '#core/time.ts'
import type { TableHour } from './records.ts'

/**
 * Waits for every writer that has added rows without knowing the threshold. From its commit on,
 * rows of the hour that a later snapshot does not show are logged.
 */
export async function raiseThreshold(pool: Pool, { table_name, hour }: TableHour): Promise<void> {
  await pool.query('select marketdata.raise_invalidation_threshold($1, $2)', [
    isDerived(table_name) ? `archive.${table_name}` : table_name,
    toIso(micros(hour + HOUR_US)),
  ])
}

/** Ids of what is logged for the hour; a range never crosses one. */
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
