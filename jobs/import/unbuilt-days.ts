/** Imported files whose days are not archived and published yet. */
import type { Pool } from '#core/node/pool.ts'
import { RAW_CHANNELS } from '#core/tables.ts'
import { addDays, type Day } from '#core/time.ts'

export interface UnbuiltFile {
  readonly file: string
  readonly version: number
  readonly table_name: string
  readonly days: readonly Day[]
}

export async function selectUnbuilt(
  pool: Pool,
  files: readonly string[],
): Promise<readonly UnbuiltFile[]> {
  const { rows } = await pool.query<{
    file: string
    version: number
    table_name: string
    from_day: Day
    to_day: Day
  }>(
    `select file, version, table_name, to_char(from_ts at time zone 'UTC', 'YYYY-MM-DD') as from_day,
       to_char(to_ts at time zone 'UTC', 'YYYY-MM-DD') as to_day
     from marketdata.imports
     where file = any ($1) and table_name = any ($2) and built_at is null order by from_ts, file`,
    [files, RAW_CHANNELS],
  )
  return rows.map(({ file, version, table_name, from_day, to_day }) => {
    const days: Day[] = []
    for (let day = from_day; day < to_day; day = addDays(day, 1)) days.push(day)
    return { file, version, table_name, days }
  })
}

export async function markBuilt(
  pool: Pool,
  files: readonly UnbuiltFile[],
  at: Date,
): Promise<void> {
  await pool.query(
    `update marketdata.imports i set built_at = $3
     from unnest($1::text[], $2::int[]) as built (file, version)
     where i.file = built.file and i.version = built.version`,
    [files.map(({ file }) => file), files.map(({ version }) => version), at],
  )
}
