/**
 * Publishes the files of one day to the object store. A reader always sees one complete build, and
 * never a wrong one.
 *
 * Invariants
 * 1. A build's folder is named by a digest of its files, so the object under a key never changes.
 * 2. Only the manifest points to a build. It is written with one put, after every file of the build
 *    has been read back, and is never deleted.
 * 3. A build that the manifest no longer names stays readable for a while (replaced-builds.ts).
 *
 * Two publishers of one day cannot corrupt it. The caller's lock keeps one from deleting the files
 * of the other.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { DatasetFile, Latest, Manifest } from '#core/dataset.ts'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import {
  datasetFileKey,
  datasetPrefix,
  latestKey,
  manifestKey,
  parseManifestKey,
} from '#core/object-keys.ts'
import type { Day } from '#core/time.ts'
import { digestOf } from '../columns/digest.ts'
import { hasNote, type NamedFiles, noteDay, sweepDay } from './replaced-builds.ts'

export interface PublishedFile extends DatasetFile {
  readonly key: string
}

export interface PublishOptions {
  readonly store: ObjectStore
  /** The job that holds the lock on the day. */
  readonly job: string
  readonly date: Day
  /** How long a replaced build stays readable [h]. */
  readonly keep_replaced_h: number
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
  readonly signal: AbortSignal
  readonly namedFiles: NamedFiles
}

const CONTENT_TYPES: Readonly<Record<DatasetFile['format'], string>> = {
  parquet: 'application/vnd.apache.parquet',
  arrow: 'application/vnd.apache.arrow.file',
  'csv.gz': 'application/gzip',
  npz: 'application/zip',
  tar: 'application/x-tar',
}
const JSON_TYPE = 'application/json'
const BUILD_DIGITS = 16
const FILES_AT_ONCE = 4

/** `dir` holds the files that `facts` names. Publishing the same files again changes nothing. */
export async function publishDay(
  options: PublishOptions,
  dir: string,
  facts: Omit<Manifest, 'build'>,
): Promise<readonly PublishedFile[]> {
  const { store, date, signal } = options
  const { dataset, schema_version, date: day, ...others } = facts
  const build = buildOf(facts.files)
  const manifest: Manifest = { dataset, schema_version, date: day, build, ...others }
  const key = manifestKey(dataset, schema_version, date)
  const text = `${JSON.stringify(manifest, null, 2)}\n`
  const published = await readText(store, key)
  const is_new = published !== text
  // A run that is killed after this leaves files that no manifest names. The note records the day.
  if (is_new) await noteDay(options, manifest)
  await eachFile(facts.files, async (file) => {
    signal.throwIfAborted()
    await upload(store, join(dir, file.name), datasetFileKey(manifest, date, file.name), file)
  })
  signal.throwIfAborted()
  if (is_new) await store.put(key, text, JSON_TYPE)
  await publishLatest(store, manifest)
  if (is_new || (await hasNote(options, manifest))) await sweepDay(options, manifest, published)
  return facts.files.map((file) => ({ ...file, key: datasetFileKey(manifest, date, file.name) }))
}

/** Some at once, because a file waits for the store most of its time. Stops at the first error. */
async function eachFile(
  files: readonly DatasetFile[],
  work: (file: DatasetFile) => Promise<void>,
): Promise<void> {
  const waiting = [...files]
  const ended = await Promise.allSettled(
    Array.from({ length: Math.min(FILES_AT_ONCE, files.length) }, async () => {
      try {
        for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
          await work(file)
        }
      } catch (error) {
        waiting.length = 0
        throw error
      }
    }),
  )
  const failed = ended.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** Equal files give the same id. */
function buildOf(files: readonly DatasetFile[]): string {
  const hash = createHash('sha256')
  for (const { name, sha256 } of files) hash.update(`${sha256} ${name}\n`)
  return hash.digest('hex').slice(0, BUILD_DIGITS)
}

/** Uploads the file and reads it back, unless the store already has the same bytes. */
async function upload(
  store: ObjectStore,
  path: string,
  key: string,
  expected: DatasetFile,
): Promise<void> {
  const before = await storedDigest(store, key)
  if (before?.sha256 === expected.sha256) return
  await store.putFile(key, path, CONTENT_TYPES[expected.format])
  const found = await storedDigest(store, key)
  if (found?.sha256 === expected.sha256) return
  throw new OperatorError(
    'upload_corrupt',
    `${expected.name}: ${expected.bytes} bytes were uploaded, but the store returned ` +
      `${found?.bytes ?? 0} bytes with another sha256.`,
    {
      hint: 'Nothing was published. Check the object store, then run the job again.',
      retryable: true,
    },
  )
}

async function storedDigest(
  store: ObjectStore,
  key: string,
): Promise<Awaited<ReturnType<typeof digestOf>> | undefined> {
  const stream = await store.read(key)
  return stream === undefined ? undefined : digestOf(stream)
}

/**
 * Two days of a dataset may be published at once. Each publisher checks again after its write, so
 * the last one sees both manifests.
 */
async function publishLatest(store: ObjectStore, published: Manifest): Promise<void> {
  const key = latestKey(published.dataset)
  for (;;) {
    const latest = await findLatest(store, published)
    if (latest === undefined) return
    const text = `${JSON.stringify(latest, null, 2)}\n`
    if ((await readText(store, key)) === text) return
    await store.put(key, text, JSON_TYPE)
  }
}

/**
 * The newest complete day; if there is none yet, the newest day. A day whose imported rows were
 * taken away has nothing to show, so it counts only if there is no other.
 */
async function findLatest(
  store: ObjectStore,
  { dataset, schema_version }: Manifest,
): Promise<Latest | undefined> {
  const keys = await store.list(datasetPrefix(dataset, schema_version))
  const newest_first = keys
    .map(({ key }) => key)
    .filter((key) => parseManifestKey(key) !== undefined)
    .toReversed()
  let latest: Latest | undefined
  for (const key of newest_first) {
    const text = await readText(store, key)
    if (text === undefined) continue
    const manifest = JSON.parse(text) as Manifest
    const { date, complete } = manifest
    const counts = complete && !isEmptied(manifest)
    if (latest === undefined || counts) latest = { dataset, schema_version, date, complete }
    if (counts) break
  }
  return latest
}

/** Whether a replaced file took the last imported rows of the day away. */
export function isEmptied({
  row_count,
  inputs,
}: {
  readonly row_count: number
  readonly inputs?: { readonly files?: readonly unknown[] | undefined } | undefined
}): boolean {
  return row_count === 0 && inputs?.files !== undefined
}

async function readText(store: ObjectStore, key: string): Promise<string | undefined> {
  const bytes = await store.get(key)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
}
