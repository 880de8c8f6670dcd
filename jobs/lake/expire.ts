/**
 * Forgets snapshots that were replaced long ago, and deletes what no snapshot names any more:
 * manifests, metadata, and files of the archive that a newer version has replaced. Replaced builds
 * of datasets are deleted by jobs/datasets/replaced-builds.ts, which asks `namedKeys`.
 *
 * Invariants
 * 1. The current snapshot and those with a tag stay, and with them every file that they name.
 * 2. The metadata forgets a snapshot before any of its files is deleted. A run that is killed in
 *    between leaves files, which the next run deletes.
 */
import type { ArchivedTable } from '#core/archived-tables.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import {
  LAKE_HINT_FILE,
  LAKE_PREFIX,
  lakeMetadataFile,
  lakeMetadataPrefix,
  parseHintKey,
} from '#core/object-keys.ts'
import type { ManifestFile } from './format/manifest.ts'
import { keptSnapshots, type TableMetadata, withOnly } from './format/metadata.ts'
import { type TableName, tableName } from './format/table.ts'
import { runJob } from '../runs/run.ts'
import { openPointer, type Services } from './pointer.ts'
import { SnapshotFiles } from './snapshot-files.ts'
import { updateMetadata } from './update-metadata.ts'

export interface ExpireOptions extends Services {
  /** How long a snapshot stays after the next one has replaced it [ms]. */
  readonly keep_ms: number
  readonly log: Logger
  readonly now: () => number
  readonly signal: AbortSignal
}

export interface Expired {
  readonly snapshot_count: number
  /** Manifests, manifest lists and metadata. */
  readonly metadata_files: number
  readonly data_files: number
}

/** A commit that is under way has files that no metadata names yet. */
const UNNAMED_MS = 6 * 3_600_000

export async function expireTable(options: ExpireOptions, table: TableName): Promise<Expired> {
  const { now, keep_ms } = options
  let snapshot_count = 0
  const metadata = await updateMetadata(options, table, (before) => {
    const kept = keptSnapshots(before, now() - keep_ms)
    snapshot_count = before.snapshots.length - kept.length
    return snapshot_count === 0 ? before : withOnly(before, kept, now())
  })
  const files = new SnapshotFiles(options.store, table)
  const metadata_files = await deleteUnnamed(options, table, files, metadata)
  const archived = archivedNameOf(table)
  const data_files =
    archived === undefined ? 0 : await deleteReplacedHours(options, archived, files, metadata)
  return { snapshot_count, metadata_files, data_files }
}

export const LAKE_EXPIRY_JOB = 'lake_expiry'

/** Expires every table of the lake, in one run. */
export async function runExpiry(
  options: ExpireOptions,
  onTable?: (name: string, expired: Expired) => void,
): Promise<void> {
  const { pool, store, now, log, signal } = options
  const run = { job: LAKE_EXPIRY_JOB, job_window: 'lake', attempt: 1, now, log }
  await runJob(pool, run, async (run_log) => {
    for (const table of await listTables(store)) {
      signal.throwIfAborted()
      const expired = await expireTable(options, table)
      run_log.info({ table: tableName(table), ...expired }, 'Expired.')
      onTable?.(tableName(table), expired)
    }
    return { row_count: 0, byte_count: 0 }
  })
}

/** Tables that have been committed to, by name. */
export async function listTables(store: ObjectStore): Promise<readonly TableName[]> {
  const listed = await store.list(LAKE_PREFIX)
  return listed.flatMap(({ key }) => {
    const table = parseHintKey(key)
    return table === undefined ? [] : [table as TableName]
  })
}

/** Keys of the files that a snapshot of the table names; none if there is no such table. */
export async function namedKeys(
  services: Services,
  table: TableName,
): Promise<ReadonlySet<string>> {
  const current = await (await openPointer(services, table)).current()
  if (current === undefined) return new Set()
  const files = new SnapshotFiles(services.store, table)
  const paths = await files.pathsOf(current.metadata.snapshots)
  return new Set([...paths].map((path) => files.keyOf(path)))
}

/** Deletes files of the metadata folder that no snapshot needs. */
async function deleteUnnamed(
  { store, pool, now, signal }: ExpireOptions,
  table: TableName,
  files: SnapshotFiles,
  metadata: TableMetadata,
): Promise<number> {
  const prefix = lakeMetadataPrefix(table.namespace, table.name)
  // Listed first: what another writer adds from now on is not considered.
  const listed = await store.list(prefix)
  const current = await (await openPointer({ store, pool }, table)).current()
  const { snapshots, 'metadata-log': log } = current?.metadata ?? metadata
  const named = new Set<string>(log.map((entry) => files.keyOf(entry['metadata-file'])))
  named.add(`${prefix}${LAKE_HINT_FILE}`)
  if (current !== undefined) {
    const { number, name } = current.version
    for (const one of [String(number), name]) named.add(`${prefix}${lakeMetadataFile(one)}`)
  }
  for (const snapshot of snapshots) {
    named.add(files.keyOf(snapshot['manifest-list']))
    const manifests: readonly ManifestFile[] = await files.manifestsOf(snapshot)
    for (const { manifest_path } of manifests) named.add(files.keyOf(manifest_path))
  }
  let count = 0
  for (const { key, modified_ms } of listed) {
    signal.throwIfAborted()
    if (named.has(key) || modified_ms > now() - UNNAMED_MS) continue
    await store.delete(key)
    count++
  }
  return count
}

function archivedNameOf({ namespace, name }: TableName): ArchivedTable | undefined {
  return namespace === 'datasets' ? undefined : (name as ArchivedTable)
}

interface ReplacedHour {
  readonly exchange: string
  readonly hour: Date
  readonly version: number
  readonly object_key: string
}

/** The lake knows the newer version, and has known it for the keep time. */
async function deleteReplacedHours(
  { pool, store, keep_ms, now, signal }: ExpireOptions,
  table_name: ArchivedTable,
  files: SnapshotFiles,
  { snapshots }: TableMetadata,
): Promise<number> {
  const { rows } = await pool.query<ReplacedHour>(
    `select exchange, hour, version, object_key from marketdata.archive a
     where table_name = $1 and expired_at is null and exists (
       select from marketdata.archive n
       where n.exchange = a.exchange and n.table_name = a.table_name and n.hour = a.hour
         and n.version > a.version and n.lake_at < $2
     )
     order by hour`,
    [table_name, new Date(now() - keep_ms)],
  )
  if (rows.length === 0) return 0
  const named = await files.pathsOf(snapshots)
  let count = 0
  for (const { exchange, hour, version, object_key } of rows) {
    signal.throwIfAborted()
    if (named.has(files.path(object_key))) continue
    await store.delete(object_key)
    await pool.query(
      `update marketdata.archive set expired_at = $5
       where exchange = $1 and table_name = $2 and hour = $3 and version = $4`,
      [exchange, table_name, hour, version, new Date(now())],
    )
    count++
  }
  return count
}
