/**
 * Brings the files of one day into the object store so that a reader never sees a wrong one:
 * upload under a staging key, read back and compare, copy to the final key, manifest last, then
 * latest.json. It leaves to its caller that nobody else publishes the same day at the time.
 */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { DatasetFile, Latest, Manifest } from '#core/dataset.ts'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import {
  datasetKey,
  datasetPrefix,
  latestKey,
  MANIFEST_FILE,
  parseManifestKey,
  stagingKey,
} from '#core/object-keys.ts'
import type { Day } from '#core/time.ts'
import { digestOf } from './digest.ts'

export interface PublishedFile extends DatasetFile {
  readonly key: string
}

const CONTENT_TYPES: Readonly<Record<DatasetFile['format'], string>> = {
  parquet: 'application/vnd.apache.parquet',
  arrow: 'application/vnd.apache.arrow.file',
  'csv.gz': 'application/gzip',
}
const JSON_TYPE = 'application/json'

/** `dir` holds the files that the manifest names. The same files once more change nothing. */
export async function publishDay(
  store: ObjectStore,
  dir: string,
  date: Day,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<readonly PublishedFile[]> {
  const { dataset, schema_version, files } = manifest
  const finalKey = (file: string): string => datasetKey(dataset, schema_version, date, file)
  const manifest_key = finalKey(MANIFEST_FILE)
  const manifest_text = `${JSON.stringify(manifest, null, 2)}\n`
  try {
    for (const file of files) {
      signal.throwIfAborted()
      await stage(store, join(dir, file.name), stagingKey(dataset, date, file.name), file)
    }
    signal.throwIfAborted()
    const published = await readText(store, manifest_key)
    // While files change, the day has no manifest: better absent for a moment than untrue.
    if (published !== undefined && published !== manifest_text) await store.delete(manifest_key)
    for (const file of files) {
      await store.copy(stagingKey(dataset, date, file.name), finalKey(file.name))
    }
    await store.put(manifest_key, manifest_text, JSON_TYPE)
    await publishLatest(store, manifest)
  } finally {
    for (const file of files) await store.delete(stagingKey(dataset, date, file.name))
  }
  return files.map((file) => ({ ...file, key: finalKey(file.name) }))
}

async function stage(
  store: ObjectStore,
  path: string,
  key: string,
  expected: DatasetFile,
): Promise<void> {
  await store.putFile(key, path, CONTENT_TYPES[expected.format])
  const stream = await store.read(key)
  const found = stream === undefined ? undefined : await digestOf(stream)
  if (found?.sha256 !== expected.sha256) {
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
}

/** The newest day that is over; until there is one, the newest. */
async function publishLatest(store: ObjectStore, published: Manifest): Promise<void> {
  const { dataset, schema_version } = published
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
  if (latest === undefined) return
  await store.put(latestKey(dataset), `${JSON.stringify(latest, null, 2)}\n`, JSON_TYPE)
}

/** Size and sha256 of a local file, as the manifest names it. */
export async function describeFile(
  dir: string,
  name: string,
  format: DatasetFile['format'],
  row_count: number,
): Promise<DatasetFile> {
  const digest = await digestOf(createReadStream(join(dir, name)))
  return { name, format, ...digest, row_count }
}

async function readText(store: ObjectStore, key: string): Promise<string | undefined> {
  const bytes = await store.get(key)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
}
