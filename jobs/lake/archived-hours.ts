/** Hours of the archive as files of a lake table: which are new, and which the lake has. */
import type { ArchivedTable } from '#core/archived-tables.ts'
import { ARCHIVED_NAMES } from '#core/archived-tables.ts'
import type { Pool } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { DAY_US, micros, toIso } from '#core/time.ts'
import { type Change, ageOf, slotOf, type WantedFile } from './commit.ts'
import { type LakeTable, partitionOf } from './format/table.ts'
import type { Services } from './pointer.ts'
import { describeStored } from './stored-footer.ts'

export interface LakeHour {
  readonly exchange: Exchange
  /** Start of the hour, microseconds since 1970. */
  readonly hour: number
  readonly version: number
  readonly object_key: string
  readonly byte_count: number
}

/** More new hours than this are one snapshot: nobody has read the states between them. */
const SNAPSHOTS_AT_ONCE = 48

/** Tables with an hour that no snapshot names. */
export async function tablesWithNewHours(pool: Pool): Promise<readonly ArchivedTable[]> {
  const { rows } = await pool.query<{ table_name: ArchivedTable }>(
    'select distinct table_name from marketdata.archive where lake_at is null',
  )
  const found = new Set(rows.map(({ table_name }) => table_name))
  return ARCHIVED_NAMES.filter((name) => found.has(name))
}

/** The newest version of every hour, or of those that no snapshot names. Oldest first. */
export async function selectLakeHours(
  pool: Pool,
  table_name: ArchivedTable,
  which: 'new' | 'all',
): Promise<readonly LakeHour[]> {
  const { rows } = await pool.query<LakeHour & { byte_count: string }>(
    `select distinct on (hour, exchange) exchange, version, object_key, byte_count,
       (extract(epoch from hour) * 1000000)::float8 as hour
     from marketdata.archive a
     where table_name = $1 and ($2 or exists (
       select from marketdata.archive n
       where n.exchange = a.exchange and n.table_name = a.table_name and n.hour = a.hour
         and n.lake_at is null
     ))
     order by hour, exchange, version desc`,
    [table_name, which === 'all'],
  )
  return rows.map((row) => ({ ...row, byte_count: Number(row.byte_count) }))
}

/** An hour is a snapshot, unless there are many. */
export function changesOfHours(
  { store }: Pick<Services, 'store'>,
  table: LakeTable,
  hours: readonly LakeHour[],
): readonly Change[] {
  const by_hour = Map.groupBy(hours, ({ hour }) => hour)
  const wanted = (some: readonly LakeHour[]): readonly WantedFile[] =>
    some.map((hour) => wantedHour({ store }, table, hour))
  if (by_hour.size > SNAPSHOTS_AT_ONCE) {
    return [{ what: `${by_hour.size} hours`, files: wanted(hours), is_all: false }]
  }
  return [...by_hour].map(([hour, some]) => ({
    what: toIso(micros(hour)).slice(0, 13),
    files: wanted(some),
    is_all: false,
  }))
}

export function wantedHour(
  { store }: Pick<Services, 'store'>,
  table: LakeTable,
  { exchange, hour, object_key: key, byte_count }: LakeHour,
): WantedFile {
  const path = `s3://${store.config.bucket}/${key}`
  const partition = partitionOf(table, exchange, Math.floor(hour / DAY_US))
  return {
    slot: slotOf(path),
    path,
    partition,
    age: ageOf(path),
    is_empty: false,
    describe: () => describeStored(store, table, { key, byte_count, exchange, partition }),
  }
}

/** A snapshot names these hours now. */
export async function markHours(
  pool: Pool,
  table_name: ArchivedTable,
  hours: readonly LakeHour[],
  now_ms: number,
): Promise<void> {
  await pool.query(
    `update marketdata.archive a set lake_at = $5
     from unnest($2::text[], $3::timestamptz[], $4::int[]) as named (exchange, hour, version)
     where a.table_name = $1 and a.exchange = named.exchange and a.hour = named.hour
       and a.version <= named.version and a.lake_at is null`,
    [
      table_name,
      hours.map(({ exchange }) => exchange),
      hours.map(({ hour }) => toIso(micros(hour))),
      hours.map(({ version }) => version),
      new Date(now_ms),
    ],
  )
}
