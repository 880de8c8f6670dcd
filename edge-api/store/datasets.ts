/**
 * Published datasets, as they lie in the object store. A date is published once its manifest is
 * there; what the store holds is checked before anything is served from it.
 */
import { z } from 'zod'
import type { Latest, Manifest } from '#core/dataset.ts'
import { OperatorError } from '#core/errors.ts'
import {
  DATASETS_PREFIX,
  latestKey,
  manifestKey,
  parseManifestKey,
} from '#core/object-keys.ts'
import { parseDay, type Day } from '#core/time.ts'
import { DatasetManifest } from '../schemas/dataset-schema.ts'
import type { ObjectReader } from './object-store.ts'

export interface DatasetSummary {
  readonly name: string
  readonly schema_version: number
  readonly date_count: number
  readonly first_date: string
  readonly last_date: string
}

export interface PublishedDate {
  readonly date: string
  readonly schema_version: number
}

/** A manifest with the bytes it was read from. */
export interface PublishedManifest {
  readonly manifest: Manifest
  readonly bytes: Uint8Array<ArrayBuffer>
}

export interface Datasets {
  list(): Promise<readonly DatasetSummary[]>
  /**
   * Dates with the newest schema version of each, in order; empty where there is no such dataset.
   */
  dates(name: string): Promise<readonly PublishedDate[]>
  latest(name: string): Promise<Latest | undefined>
  /** The manifest of a date in its newest schema version. */
  manifest(name: string, date: Day): Promise<PublishedManifest | undefined>
}

const MANIFEST_BYTES_MAX = 16 << 20
const LATEST_BYTES_MAX = 16 << 10

export function createDatasets(store: ObjectReader): Datasets {
  return {
    async list() {
      const { keys } = await store.list(DATASETS_PREFIX)
      return summarise(keys)
    },
    async dates(name) {
      const { keys } = await store.list(`${DATASETS_PREFIX}${name}/`)
      return newestVersions(keys)
    },
    async latest(name) {
      const key = latestKey(name)
      const bytes = await store.read(key, LATEST_BYTES_MAX)
      if (bytes === undefined) return undefined
      const latest = parse(LatestSchema, bytes, key)
      if (latest.dataset !== name) throw corrupt(key, `it speaks of ${latest.dataset}`)
      return latest
    },
    async manifest(name, date) {
      for (const schema_version of await versionsOf(store, name)) {
        const key = manifestKey(name, schema_version, date)
        const bytes = await store.read(key, MANIFEST_BYTES_MAX)
        if (bytes === undefined) continue
        const manifest = parse(DatasetManifest, bytes, key)
        const { dataset, schema_version: version, date: day } = manifest
        if (dataset !== name || version !== schema_version || day !== date) {
          throw corrupt(key, `it speaks of ${dataset} v${version} of ${day}`)
        }
        return { manifest, bytes }
      }
      return undefined
    },
  }
}

const LatestSchema = z.object({
  dataset: z.string(),
  schema_version: z.int().min(1),
  date: z.string().refine((text) => parseDay(text) !== undefined),
  complete: z.boolean(),
})

function summarise(keys: readonly string[]): readonly DatasetSummary[] {
  const summaries = new Map<string, DatasetSummary>()
  for (const { name, date, schema_version } of publishedOf(keys)) {
    const so_far = summaries.get(name)
    if (so_far !== undefined && so_far.schema_version > schema_version) continue
    // A newer version is told of alone: its dates are the ones a reader should take.
    const same = so_far?.schema_version === schema_version ? so_far : undefined
    summaries.set(name, {
      name,
      schema_version,
      date_count: (same?.date_count ?? 0) + 1,
      first_date: same === undefined || date < same.first_date ? date : same.first_date,
      last_date: same === undefined || date > same.last_date ? date : same.last_date,
    })
  }
  return [...summaries.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function newestVersions(keys: readonly string[]): readonly PublishedDate[] {
  const versions = new Map<string, number>()
  for (const { date, schema_version } of publishedOf(keys)) {
    versions.set(date, Math.max(schema_version, versions.get(date) ?? 0))
  }
  return [...versions]
    .map(([date, schema_version]) => ({ date, schema_version }))
    .toSorted((a, b) => (a.date < b.date ? -1 : 1))
}

function publishedOf(
  keys: readonly string[],
): readonly { name: string; schema_version: number; date: Day }[] {
  return keys.flatMap((key) => {
    const parts = parseManifestKey(key)
    const date = parts === undefined ? undefined : parseDay(parts.date)
    return parts === undefined || date === undefined ? [] : [{ ...parts, date }]
  })
}

/** Newest first. */
async function versionsOf(store: ObjectReader, name: string): Promise<readonly number[]> {
  const prefix = `${DATASETS_PREFIX}${name}/`
  const { folders } = await store.list(prefix, '/')
  return folders
    .flatMap((folder) => {
      const match = /^v(\d{1,6})\/$/.exec(folder.slice(prefix.length))
      return match === null ? [] : [Number(match[1])]
    })
    .toSorted((a, b) => b - a)
}

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
  throw corrupt(key, `${issue?.path.join('.') || 'the whole'} is not what it must be`)
}

function corrupt(key: string, why: string): OperatorError {
  return new OperatorError('dataset_corrupt', `${key} cannot be used: ${why}.`, {
    hint: 'The operator has to build this date again.',
  })
}
