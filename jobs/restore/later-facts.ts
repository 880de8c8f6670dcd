/**
 * A state backup has the notes of every imported file, and the rows of imported facts as they were
 * in the full backup before it. Files that were imported in between are forgotten, so that the next
 * import brings their rows again instead of taking them for done.
 */
import { FACT_TABLES } from '#core/fact-tables.ts'
import type { Client } from '#core/node/pool.ts'
import type { Manifest } from '../backup/manifest.ts'

/** Returns the number of files. */
export async function forgetLaterFacts(
  client: Client,
  { kind, parts }: Pick<Manifest, 'kind' | 'parts'>,
): Promise<number> {
  if (kind === 'full') return 0
  const names = Object.keys(FACT_TABLES)
  const full_id = parts.find(({ table_name }) => names.includes(table_name))?.backup_id
  const { rowCount } = await client.query(
    'delete from marketdata.imports where table_name = any ($1) and imported_at > $2',
    [names, full_id === undefined ? '-infinity' : begunAt(full_id)],
  )
  return rowCount ?? 0
}

/** A backup is named after the time when it began: 20261128T010700Z-5f3a90c1. */
function begunAt(backup_id: string): string {
  return backup_id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z.*$/, '$1-$2-$3T$4:$5:$6Z')
}
