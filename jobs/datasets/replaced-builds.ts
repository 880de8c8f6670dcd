/**
 * Deletes files of a published day that its manifest does not name: replaced builds, and leftovers
 * of a killed run. They stay readable for a while, since a reader may be in the middle of one.
 *
 * A Parquet file that a snapshot of the lake names stays until the snapshot is expired.
 *
 * A day with such files has a note in the store (core/object-keys.ts, dayNoteKey), which says until
 * when each build stays. The note is written before a run's first file, and deleted with the last
 * file that no manifest names. So reading the notes finds every such day.
 *
 * A sweep holds the day's lock, as a publisher does. No build is deleted between the time its
 * publisher finds its files in the store and the time the manifest names them.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Manifest } from '#core/dataset.ts'
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import {
  buildFolder,
  DAY_NOTES_PREFIX,
  datasetDayPrefix,
  dayNoteKey,
  MANIFEST_FILE,
  manifestKey,
} from '#core/object-keys.ts'
import { parseDay, type Day } from '#core/time.ts'
import { datasetTableName } from '../lake/format/table.ts'
import { namedKeys } from '../lake/expire.ts'
import { withLock } from '../runs/run.ts'

export const SWEEP_JOB = 'replaced_builds'
/** Default of DATASET_KEEP_REPLACED_H [h]. */
export const KEEP_REPLACED_H = 24
/** Files of the current day are replaced every minute, so they stay no longer than this [h]. */
const KEEP_UNFINISHED_H = 1 / 6
const HOUR_MS = 3_600_000

/** `stays_until`: ISO time by build folder; '' means files in the manifest's own folder. */
interface DayNote {
  /** The job that publishes the dataset and holds the lock on the day. */
  readonly job: string
  readonly stays_until: Readonly<Record<string, string>>
}

export interface SweepDayOptions {
  readonly store: ObjectStore
  readonly job: string
  readonly date: Day
  readonly keep_replaced_h: number
  readonly now: () => number
  readonly namedFiles: NamedFiles
}

type DatasetVersion = Pick<Manifest, 'dataset' | 'schema_version'>

/** Keys of the dataset's files that a snapshot of the lake names; they stay as long as it does. */
export type NamedFiles = (version: DatasetVersion) => Promise<ReadonlySet<string>>

export function namedFilesOf(services: {
  readonly pool: Pool
  readonly store: ObjectStore
}): NamedFiles {
  return async ({ dataset, schema_version }) => {
    const name = datasetTableName(dataset, schema_version)
    return namedKeys(services, { namespace: 'datasets', name })
  }
}

/** Call before a run uploads its first file. */
export async function noteDay(
  { store, job, date }: SweepDayOptions,
  { dataset, schema_version }: DatasetVersion,
): Promise<void> {
  const key = dayNoteKey(dataset, schema_version, date)
  const known = await readJson<DayNote>(store, key)
  await writeNote(store, key, { job, stays_until: known?.stays_until ?? {} })
}

/** True if a killed run did not sweep the day, or if a replaced build is still kept. */
export async function hasNote(
  { store, date }: SweepDayOptions,
  { dataset, schema_version }: DatasetVersion,
): Promise<boolean> {
  return (await store.get(dayNoteKey(dataset, schema_version, date))) !== undefined
}

/**
 * Deletes builds that have been kept long enough, and notes the others. `replaced` is the text of
 * the manifest that has just been replaced, if the caller knows it.
 */
export async function sweepDay(
  options: SweepDayOptions,
  { dataset, schema_version }: DatasetVersion,
  replaced?: string,
): Promise<void> {
  const { store, job, date, keep_replaced_h, now } = options
  const prefix = datasetDayPrefix(dataset, schema_version, date)
  const note_key = dayNoteKey(dataset, schema_version, date)
  // List the files first, so that files uploaded later are not considered.
  const by_folder = Map.groupBy(await store.list(prefix), ({ key }) => folderOf(key, prefix))
  const manifest = await readJson<Manifest>(store, manifestKey(dataset, schema_version, date))
  const named = manifest === undefined ? undefined : buildFolder(manifest.build)
  const known = (await readJson<DayNote>(store, note_key))?.stays_until ?? {}
  const before = replaced === undefined ? undefined : (JSON.parse(replaced) as Manifest)
  const stays_until: Record<string, string> = {}
  let named_files: ReadonlySet<string> | undefined
  for (const [folder, objects] of by_folder) {
    const keys = objects.map(({ key }) => key).filter((key) => key !== `${prefix}${MANIFEST_FILE}`)
    if (folder === named || keys.length === 0) continue
    const is_fresh = before !== undefined && buildFolder(before.build) === folder
    const until =
      is_fresh || known[folder] === undefined
        ? now() + HOUR_MS * keepHours(is_fresh ? before : undefined, keep_replaced_h)
        : Date.parse(known[folder])
    if (until <= now()) {
      named_files ??= await options.namedFiles({ dataset, schema_version })
      for (const key of keys) if (!named_files.has(key)) await store.delete(key)
    }
    // A file that a snapshot names is looked at again.
    if (until > now() || keys.some((key) => named_files?.has(key))) {
      stays_until[folder] = new Date(until).toISOString()
    }
  }
  if (Object.keys(stays_until).length === 0) await store.delete(note_key)
  else if (!isDeepStrictEqual(stays_until, known))
    await writeNote(store, note_key, { job, stays_until })
}

export interface SweepOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly keep_replaced_h: number
  readonly log: Logger
  readonly now: () => number
}

/** Sweeps every day that has a note, except days that are being published. */
export async function sweepReplacedBuilds(options: SweepOptions): Promise<void> {
  const { pool, store, log } = options
  for (const { key } of await store.list(DAY_NOTES_PREFIX)) {
    const of_day = parseNoteKey(key)
    const note = of_day === undefined ? undefined : await readJson<DayNote>(store, key)
    if (of_day === undefined || note === undefined) continue
    const { job } = note
    const { date } = of_day
    try {
      const day_options = { ...options, job, date, namedFiles: namedFilesOf(options) }
      await withLock(pool, job, date, () => sweepDay(day_options, of_day))
    } catch (error) {
      const facts = { code: 'sweep_failed', key, error: describeError(error) }
      log.warn(facts, 'Cannot delete replaced files of a day. The next hourly run tries again.')
    }
  }
}

function keepHours(replaced: Manifest | undefined, keep_replaced_h: number): number {
  return replaced?.complete === false
    ? Math.min(KEEP_UNFINISHED_H, keep_replaced_h)
    : keep_replaced_h
}

/** `build=…/`, or '' for a file in the manifest's own folder. */
function folderOf(key: string, prefix: string): string {
  const path = key.slice(prefix.length)
  return path.slice(0, path.indexOf('/') + 1)
}

function parseNoteKey(key: string): (DatasetVersion & { readonly date: Day }) | undefined {
  const match = /^tmp\/datasets\/([a-z][a-z0-9_]*)\/v(\d+)\/date=(.{10})\.json$/.exec(key)
  const date = parseDay(match?.[3] ?? '')
  if (match === null || date === undefined) return undefined
  return { dataset: match[1]!, schema_version: Number(match[2]), date }
}

async function writeNote(store: ObjectStore, key: string, note: DayNote): Promise<void> {
  await store.put(key, `${JSON.stringify(note, null, 2)}\n`, 'application/json')
}

async function readJson<T>(store: ObjectStore, key: string): Promise<T | undefined> {
  const bytes = await store.get(key)
  return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as T)
}
