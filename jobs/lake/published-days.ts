/** Days of datasets as files of a lake table: which are new, and which the lake has. */
import type { Manifest } from '#core/dataset.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { datasetFileKey, datasetPrefix, manifestKey, parseManifestKey } from '#core/object-keys.ts'
import { type Day, DAY_US, dayRange } from '#core/time.ts'
import { slotOf, type WantedFile } from './commit.ts'
import { datasetLakeTable, type LakeTable, partitionOf } from './format/table.ts'
import { describeStored } from './stored-footer.ts'

export interface DatasetVersion {
  readonly dataset: string
  readonly schema_version: number
}

/** Which datasets there are, and the jobs whose runs publish them; a run's window is a day. */
export interface DatasetSource {
  readonly jobs: readonly string[]
  readonly sets: readonly DatasetVersion[]
}

/** Days with a run that ended since the lake looked at them. Oldest first. */
export async function selectNewDays(
  pool: Pool,
  { jobs }: DatasetSource,
  { dataset, schema_version }: DatasetVersion,
): Promise<readonly Day[]> {
  const { rows } = await pool.query<{ date: Day }>(
    `select r.date
     from (
       select job_window as date, max(finished_at) as finished_at from marketdata.job_runs
       where job = any ($1) and finished_at is not null
         and job_window ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
       group by job_window
     ) r
     left join marketdata.lake_days d
       on d.dataset = $2 and d.schema_version = $3 and d.date = r.date::date
     where d.checked_at is null or d.checked_at <= r.finished_at
     order by r.date`,
    [jobs, dataset, schema_version],
  )
  return rows.map(({ date }) => date)
}

/** Every day with a manifest. */
export async function listDays(
  store: ObjectStore,
  { dataset, schema_version }: DatasetVersion,
): Promise<readonly Day[]> {
  const listed = await store.list(datasetPrefix(dataset, schema_version))
  return listed.flatMap(({ key }) => (parseManifestKey(key)?.date as Day | undefined) ?? [])
}

/** Undefined: not published, or not over. Builds of a day that is not over are soon deleted. */
export async function readPublished(
  store: ObjectStore,
  { dataset, schema_version }: DatasetVersion,
  date: Day,
): Promise<Manifest | undefined> {
  const bytes = await store.get(manifestKey(dataset, schema_version, date))
  if (bytes === undefined) return undefined
  const manifest = JSON.parse(Buffer.from(bytes).toString('utf8')) as Manifest
  return manifest.complete ? manifest : undefined
}

export function tableOfManifests(manifests: readonly Manifest[]): LakeTable {
  return datasetLakeTable(manifests.at(-1)!)
}

/** Undefined: the manifest names no such file. A day without rows is one without a file. */
export function wantedDay(
  store: ObjectStore,
  table: LakeTable,
  manifest: Manifest,
): WantedFile | undefined {
  const { dataset } = manifest
  const date = manifest.date as Day
  const file = manifest.files.find(({ name }) => name === `${dataset}.parquet`)
  if (file === undefined) return undefined
  const key = datasetFileKey(manifest, date, file.name)
  const path = `s3://${store.config.bucket}/${key}`
  const partition = partitionOf(table, undefined, dayRange(date).from / DAY_US)
  const stored = { key, byte_count: file.bytes, exchange: undefined, partition }
  return {
    slot: slotOf(path),
    path,
    partition,
    age: undefined,
    is_empty: file.row_count === 0,
    describe: () => describeStored(store, table, stored),
  }
}

export interface CheckedDay {
  readonly date: Day
  readonly build: string | null
}

/** The lake has looked at these days at `checked_ms`. */
export async function markDays(
  pool: Pool,
  { dataset, schema_version }: DatasetVersion,
  days: readonly CheckedDay[],
  checked_ms: number,
): Promise<void> {
  await pool.query(
    `insert into marketdata.lake_days (dataset, schema_version, date, build, checked_at)
     select $1, $2, day.date, day.build, $5
     from unnest($3::date[], $4::text[]) as day (date, build)
     on conflict (dataset, schema_version, date) do update
     set build = excluded.build, checked_at = excluded.checked_at
     where lake_days.checked_at <= excluded.checked_at`,
    [
      dataset,
      schema_version,
      days.map(({ date }) => date),
      days.map(({ build }) => build),
      new Date(checked_ms),
    ],
  )
}
