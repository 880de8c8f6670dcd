/**
 * Published datasets in the object store. A date is published once its manifest exists. Manifests
 * are validated before anything is served from them.
 */
import { z } from 'zod'
import type { Latest, Manifest } from '#core/dataset.ts'
import { OperatorError } from '#core/errors.ts'
import { latestKey, manifestKey } from '#core/object-keys.ts'
import { parseDay, type Day } from '#core/time.ts'
import type { MemoryGate } from '../memory/memory-gate.ts'
import { DatasetManifest } from '../schemas/dataset-schema.ts'
import {
  listDatasets,
  listDates,
  versionsOf,
  type DatasetSummary,
  type PublishedDate,
} from './dataset-list.ts'
import type { ObjectReader } from './object-store.ts'

/** A manifest with the bytes it was read from. */
export interface PublishedManifest {
  readonly manifest: Manifest
  readonly bytes: Uint8Array<ArrayBuffer>
}

export interface Datasets {
  list(): Promise<readonly DatasetSummary[]>
  /** Dates in order, each with its newest schema version; empty if the dataset is unknown. */
  dates(name: string): Promise<readonly PublishedDate[]>
  latest(name: string): Promise<Latest | undefined>
  /** The manifest of a date in its newest schema version. */
  manifest(name: string, date: Day): Promise<PublishedManifest | undefined>
}

/** A symbol has one file and at most a hundred gaps: about 14 kB. */
const MANIFEST_BYTES_MAX = 8 << 20
/** Memory per byte of a manifest while it is read: bytes, text, values and validated values. */
const HELD_PER_BYTE = 6
const LATEST_BYTES_MAX = 16 << 10

export function createDatasets(store: ObjectReader, memory: MemoryGate): Datasets {
  return {
    list: () => listDatasets(store),
    dates: (name) => listDates(store, name),
    async latest(name) {
      const key = latestKey(name)
      const bytes = await store.read(key, LATEST_BYTES_MAX)
      if (bytes === undefined) return undefined
      const latest = parse(LatestSchema, bytes, key)
      if (latest.dataset !== name) throw corrupt(key, `it names the dataset ${latest.dataset}`)
      return latest
    },
    async manifest(name, date) {
      for (const schema_version of await versionsOf(store, name)) {
        const key = manifestKey(name, schema_version, date)
        const published = await readManifest(store, memory, key)
        if (published === undefined) continue
        const { manifest } = published
        const { dataset, schema_version: version, date: day } = manifest
        if (dataset !== name || version !== schema_version || day !== date) {
          throw corrupt(key, `it describes ${dataset} v${version} of ${day}`)
        }
        return published
      }
      return undefined
    },
  }
}

async function readManifest(
  store: ObjectReader,
  memory: MemoryGate,
  key: string,
): Promise<PublishedManifest | undefined> {
  const object = await store.open(key)
  if (object === undefined) return undefined
  try {
    return await memory.run(HELD_PER_BYTE * object.byte_count, async () => {
      const bytes = await object.read(MANIFEST_BYTES_MAX)
      return { manifest: parse(DatasetManifest, bytes, key), bytes }
    })
  } catch (error) {
    await object.close().catch(() => undefined)
    throw error
  }
}

const LatestSchema = z.object({
  dataset: z.string(),
  schema_version: z.int().min(1),
  date: z.string().refine((text) => parseDay(text) !== undefined),
  complete: z.boolean(),
})

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array, key: string): T {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch {
    throw corrupt(key, 'it is not JSON')
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw corrupt(key, `${issue?.path.join('.') || 'the document'} does not match the schema`)
}

function corrupt(key: string, why: string): OperatorError {
  return new OperatorError('dataset_corrupt', `${key} cannot be used: ${why}.`, {
    hint: 'An operator must rebuild this date.',
  })
}
