/** Where things lie in the object store. Keys are made here and nowhere else. */
import { type ArchivedTable, isDerived } from './archived-tables.ts'
import type { Day } from './time.ts'

const DATASET_NAME = /^[a-z][a-z0-9_]{0,40}$/

export function isDatasetName(text: string): boolean {
  return DATASET_NAME.test(text)
}

/** `datasets/` : the folder of all datasets. */
export const DATASETS_PREFIX = 'datasets/'

/** `datasets/features_1s/v1/` */
export function datasetPrefix(name: string, schema_version: number): string {
  return `${DATASETS_PREFIX}${name}/v${schema_version}/`
}

/** `datasets/features_1s/v1/date=2024-08-08/` */
export function datasetDayPrefix(name: string, schema_version: number, date: Day): string {
  return `${datasetPrefix(name, schema_version)}date=${date}/`
}

/** `datasets/features_1s/v1/date=2024-08-08/manifest.json` */
export function manifestKey(name: string, schema_version: number, date: Day): string {
  return `${datasetDayPrefix(name, schema_version, date)}${MANIFEST_FILE}`
}

/** What tells the key of a manifest's files. */
export interface DatasetBuild {
  readonly dataset: string
  readonly schema_version: number
  /** Undefined in a manifest of before builds had folders: its files lie beside it. */
  readonly build?: string | undefined
}

/**
 * `datasets/features_1s/v1/date=2024-08-08/build=5f3a90c1d2e4b687/features_1s.parquet`: the folder
 * follows from the files' content, so what lies under a key never changes.
 */
export function datasetFileKey(
  { dataset, schema_version, build }: DatasetBuild,
  date: Day,
  file: string,
): string {
  return `${datasetDayPrefix(dataset, schema_version, date)}${buildFolder(build)}${file}`
}

/** `build=5f3a90c1d2e4b687/` */
export function buildFolder(build: string | undefined): string {
  return build === undefined ? '' : `build=${build}/`
}

/** Of a build's name. */
export const BUILD_NAME = /^[0-9a-f]{16}$/

/** `tmp/datasets/`: notes on days that have files no manifest names. No reader needs them. */
export const DAY_NOTES_PREFIX = 'tmp/datasets/'

/** `tmp/datasets/features_1s/v1/date=2024-08-08.json` */
export function dayNoteKey(name: string, schema_version: number, date: Day): string {
  return `${DAY_NOTES_PREFIX}${name}/v${schema_version}/date=${date}.json`
}

/** `raw/instruments.json`: what lies in the archive, for readers without the database. */
export const INSTRUMENTS_KEY = 'raw/instruments.json'

/** Written last: a date without it is not published. */
export const MANIFEST_FILE = 'manifest.json'

/** `datasets/features_1s/latest.json`: what "yesterday" means right now. */
export function latestKey(name: string): string {
  return `${DATASETS_PREFIX}${name}/latest.json`
}

/** `models/features/v2/date=2024-08-08/fit.json`: what a day leaves for the features of the next. */
export function featureFitKey(fit_version: number, date: Day): string {
  return `models/features/v${fit_version}/date=${date}/fit.json`
}

/** The parts of a manifest's key, or undefined for any other key. */
export function parseManifestKey(
  key: string,
): { readonly name: string; readonly schema_version: number; readonly date: string } | undefined {
  const match =
    /^datasets\/([a-z][a-z0-9_]*)\/v(\d+)\/date=(\d{4}-\d{2}-\d{2})\/manifest\.json$/.exec(key)
  if (match === null) return undefined
  return { name: match[1]!, schema_version: Number(match[2]), date: match[3]! }
}

/**
 * `raw/book_ticker/exchange=binance-futures/date=2024-08-08/`, and `derived/bt_1s/exchange=…` for what
 * was made of raw rows.
 */
export function archiveDayPrefix(table_name: ArchivedTable, exchange: string, date: Day): string {
  const root = isDerived(table_name) ? 'derived' : 'raw'
  return `${root}/${table_name}/exchange=${exchange}/date=${date}/`
}

/**
 * `raw/book_ticker/exchange=binance-futures/date=2024-08-08/hour=13.parquet`, and `hour=13.v2.parquet`
 * for what late rows made of it: a file that somebody reads never changes.
 */
export function archiveKey(
  table_name: ArchivedTable,
  exchange: string,
  date: Day,
  hour: number,
  version: number,
): string {
  const suffix = version === 1 ? '' : `.v${version}`
  const name = `hour=${String(hour).padStart(2, '0')}${suffix}.parquet`
  return `${archiveDayPrefix(table_name, exchange, date)}${name}`
}

/** Which files of a day are the newest: an ArchiveIndex, written after the files. */
export function archiveIndexKey(table_name: ArchivedTable, exchange: string, date: Day): string {
  return `${archiveDayPrefix(table_name, exchange, date)}index.json`
}
