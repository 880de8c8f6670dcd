/**
 * Lists the published datasets and dates. It lists only folders, because a day can have hundreds of
 * files and several builds. A date is published once its manifest exists. A build writes a note
 * (core/object-keys.ts, dayNoteKey) before its first file, so a date with a note may lack a
 * manifest: these manifests are checked. The first and last dates are checked too, because older
 * stores have no notes.
 */
import {
  datasetPrefix,
  DATASETS_PREFIX,
  DAY_NOTES_PREFIX,
  isDatasetName,
  manifestKey,
} from '#core/object-keys.ts'
import { parseDay, type Day } from '#core/time.ts'
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

/**
 * How many of the newest dates with a note are checked. Older notes come from rebuilt days: a
 * killed run is repeated long before its day is that old.
 */
const NOTED_MAX = 50
/** Maximum number of dates without a manifest and without a note, at either end. */
const UNNOTED_MAX = 10

/** By name; figures are for the newest schema version that has a published date. */
export async function listDatasets(store: ObjectReader): Promise<readonly DatasetSummary[]> {
  const names = (await foldersOf(store, DATASETS_PREFIX)).filter(isDatasetName).toSorted()
  const found = await Promise.all(names.map((name) => summarise(store, name)))
  return found.filter((summary) => summary !== undefined)
}

/** Dates in order, each with its newest schema version; empty if the dataset is unknown. */
export async function listDates(
  store: ObjectReader,
  name: string,
): Promise<readonly PublishedDate[]> {
  const versions = await versionsOf(store, name)
  const found = await Promise.all(versions.map((version) => publishedOf(store, name, version)))
  const newest = new Map<Day, number>()
  for (const [i, dates] of found.entries()) {
    for (const date of dates) if (!newest.has(date)) newest.set(date, versions[i]!)
  }
  return [...newest]
    .map(([date, schema_version]) => ({ date, schema_version }))
    .toSorted((a, b) => (a.date < b.date ? -1 : 1))
}

/** Newest first. */
export async function versionsOf(store: ObjectReader, name: string): Promise<readonly number[]> {
  return (await foldersOf(store, `${DATASETS_PREFIX}${name}/`))
    .flatMap((folder) => {
      const match = /^v(\d{1,6})$/.exec(folder)
      return match === null ? [] : [Number(match[1])]
    })
    .toSorted((a, b) => b - a)
}

async function summarise(store: ObjectReader, name: string): Promise<DatasetSummary | undefined> {
  for (const schema_version of await versionsOf(store, name)) {
    const dates = await publishedOf(store, name, schema_version)
    const [first_date, last_date] = [dates[0], dates.at(-1)]
    if (first_date === undefined || last_date === undefined) continue
    return { name, schema_version, date_count: dates.length, first_date, last_date }
  }
  return undefined
}

/** Dates of one schema version, in order. */
async function publishedOf(
  store: ObjectReader,
  name: string,
  schema_version: number,
): Promise<readonly Day[]> {
  const prefix = datasetPrefix(name, schema_version)
  const dates = (await foldersOf(store, prefix)).flatMap((folder) => dayIn(folder) ?? []).toSorted()
  // Listed after the folders: a note is older than its folder, so none of them can be missed.
  const notes = await store.list(`${DAY_NOTES_PREFIX}${prefix.slice(DATASETS_PREFIX.length)}`)
  const noted = new Set(notes.keys.flatMap((key) => dayIn(fileIn(key)) ?? []))
  const isPublished = (date: Day): Promise<boolean> =>
    store.exists(manifestKey(name, schema_version, date))
  const missing = new Set<Day>()
  await Promise.all(
    dates
      .filter((date) => noted.has(date))
      .slice(-NOTED_MAX)
      .map(async (date) => {
        if (!(await isPublished(date))) missing.add(date)
      }),
  )
  const others = dates.filter((date) => !missing.has(date))
  const from = await countMissing(others, isPublished)
  const to = others.length - (await countMissing(others.toReversed(), isPublished))
  return others.slice(from, to)
}

/** Number of leading dates that are not published. */
async function countMissing(
  dates: readonly Day[],
  isPublished: (date: Day) => Promise<boolean>,
): Promise<number> {
  for (const [i, date] of dates.slice(0, UNNOTED_MAX).entries()) {
    if (await isPublished(date)) return i
  }
  return Math.min(dates.length, UNNOTED_MAX)
}

/** Names of the folders directly below a prefix. */
async function foldersOf(store: ObjectReader, prefix: string): Promise<readonly string[]> {
  const { folders } = await store.list(prefix, '/')
  return folders.map((folder) => folder.slice(prefix.length, -1))
}

function fileIn(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1).replace(/\.json$/, '')
}

/** The day in `date=2024-08-08`. */
function dayIn(text: string): Day | undefined {
  return text.startsWith('date=') ? parseDay(text.slice('date='.length)) : undefined
}
