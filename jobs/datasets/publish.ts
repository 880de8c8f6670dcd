/**
 * Brings the files of one day into the object store so that a reader never sees a wrong one, and
 * always sees a whole one.
 *
 * Invariants
 * 1. A build's folder is named after the content of its files: what lies under a key never changes.
 * 2. The manifest is the one pointer to a build. It is put in one piece, once every file of the
 *    build was read back; it is never deleted.
 * 3. A build that the manifest no longer names stays readable for a while (replaced-builds.ts).
 *
 * Two publishers of one day do each other no harm; the caller's lock makes sure that the files of
 * one are not tidied away by the other.
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
import { hasNote, noteDay, sweepDay } from './replaced-builds.ts'

export interface PublishedFile extends DatasetFile {
  readonly key: string
}

export interface PublishOptions {
  readonly store: ObjectStore
  /** Whose lock on the day the caller holds. */
  readonly job: string
  readonly date: Day
  /** How long a build that was replaced stays readable [h]. */
  readonly keep_replaced_h: number
  /** The time now, in milliseconds since 1970. */
  readonly now: () => number
  readonly signal: AbortSignal
}

const CONTENT_TYPES: Readonly<Record<DatasetFile['format'], string>> = {
  parquet: 'application/vnd.apache.parquet',
  arrow: 'application/vnd.apache.arrow.file',
  'csv.gz': 'application/gzip',
}
const JSON_TYPE = 'application/json'
const BUILD_DIGITS = 16

/** `dir` holds the files that `facts` names. The same files once more change nothing. */
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
  // A run that is killed from here on leaves files that nobody names: the note says where.
  if (is_new) await noteDay(options, manifest)
  for (const file of facts.files) {
    signal.throwIfAborted()
    await upload(store, join(dir, file.name), datasetFileKey(manifest, date, file.name), file)
  }
  signal.throwIfAborted()
  if (is_new) await store.put(key, text, JSON_TYPE)
  await publishLatest(store, manifest)
  if (is_new || (await hasNote(options, manifest))) await sweepDay(options, manifest, published)
  return facts.files.map((file) => ({ ...file, key: datasetFileKey(manifest, date, file.name) }))
}

/** The same for the same files. */
function buildOf(files: readonly DatasetFile[]): string {
  const hash = createHash('sha256')
  for (const { name, sha256 } of files) hash.update(`${sha256} ${name}\n`)
  return hash.digest('hex').slice(0, BUILD_DIGITS)
}

/** What lies there already, in the right bytes, stays. */
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
    `${expected.name} was sent with ${expected.bytes} bytes and read back from the store ` +
      `with ${found?.bytes ?? 0} bytes and another sha256.`,
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
 * Publishers of two days of a dataset may do this at once: each looks again after it wrote, so the
 * one that is last sees both manifests.
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

/** The newest day that is over; until there is one, the newest. */
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
    const { date, complete } = JSON.parse(text) as Manifest
    if (latest === undefined || complete) latest = { dataset, schema_version, date, complete }
    if (complete) break
  }
  return latest
}

async function readText(store: ObjectStore, key: string): Promise<string | undefined> {
  const bytes = await store.get(key)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
}
