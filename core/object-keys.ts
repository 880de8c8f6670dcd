/** The layout of the object store. Only this file builds keys. */
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

/** The facts that determine the keys of a manifest's files. */
export interface DatasetBuild {
  readonly dataset: string
  readonly schema_version: number
  /** Undefined in manifests older than build folders: their files are next to the manifest. */
  readonly build?: string | undefined
}

/**
 * `datasets/features_1s/v1/date=2024-08-08/build=5f3a90c1d2e4b687/features_1s.parquet`. The name of
 * the build folder is a hash of the files' content, so the content under a key never changes.
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

/** The name of a build. */
export const BUILD_NAME = /^[0-9a-f]{16}$/

/** `tmp/datasets/`: notes on days with files that no manifest lists. Readers ignore them. */
export const DAY_NOTES_PREFIX = 'tmp/datasets/'

/** `tmp/datasets/features_1s/v1/date=2024-08-08.json` */
export function dayNoteKey(name: string, schema_version: number, date: Day): string {
  return `${DAY_NOTES_PREFIX}${name}/v${schema_version}/date=${date}.json`
}

/** `raw/instruments.json`: the archived instruments, for readers without the database. */
export const INSTRUMENTS_KEY = 'raw/instruments.json'

/** Written last: a day without a manifest is not published. */
export const MANIFEST_FILE = 'manifest.json'

/** `datasets/features_1s/latest.json`: what "yesterday" means right now. */
export function latestKey(name: string): string {
  return `${DATASETS_PREFIX}${name}/latest.json`
}

/** `models/features/v2/date=2024-08-08/fit.json`: fitted on a day, used by the next day. */
export function featureFitKey(fit_version: number, date: Day): string {
  return `models/features/v${fit_version}/date=${date}/fit.json`
}

/** `models/bars/v1/date=2024-08-08/fit.json`: what a day leaves for a dataset of the next day. */
export function dayFitKey(dataset: string, fit_version: number, date: Day): string {
  return `models/${dataset}/v${fit_version}/date=${date}/fit.json`
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
 * `raw/book_ticker/exchange=binance-futures/date=2024-08-08/`, or `derived/bt_1s/exchange=…` for
 * tables derived from raw rows.
 */
export function archiveDayPrefix(table_name: ArchivedTable, exchange: string, date: Day): string {
  const root = isDerived(table_name) ? 'derived' : 'raw'
  return `${root}/${table_name}/exchange=${exchange}/date=${date}/`
}

/**
 * `raw/book_ticker/exchange=binance-futures/date=2024-08-08/hour=13.parquet`. If late rows change
 * the hour, the new version is `hour=13.v2.parquet`: a published file never changes.
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

/** Key of the ArchiveIndex, which lists the newest files of a day. Written after the files. */
export function archiveIndexKey(table_name: ArchivedTable, exchange: string, date: Day): string {
  return `${archiveDayPrefix(table_name, exchange, date)}${INDEX_FILE}`
}

/** Folders of the archive. */
export const ARCHIVE_PREFIXES: readonly string[] = ['raw/', 'derived/']

/** Key of the index of a file's day; undefined for a key that is not an archived hour's. */
export function indexKeyOf(key: string): string | undefined {
  const match =
    /^((?:raw|derived)\/[a-z0-9_]+\/exchange=[^/]+\/date=[\d-]+\/)hour=\d\d(?:\.v\d+)?\.parquet$/
  const folder = match.exec(key)?.[1]
  return folder === undefined ? undefined : `${folder}${INDEX_FILE}`
}

const INDEX_FILE = 'index.json'

/** `backups/`: what the lake lacks of the database. */
export const BACKUPS_PREFIX = 'backups/'

/** `backups/20261128T010700Z-5f3a90c1/` */
export function backupPrefix(id: string): string {
  return `${BACKUPS_PREFIX}${id}/`
}

/** Written last: a backup without a manifest is not one. */
export function backupManifestKey(id: string): string {
  return `${backupPrefix(id)}${MANIFEST_FILE}`
}

/** The id of a backup; undefined for any other key. */
export function parseBackupKey(key: string): string | undefined {
  return /^backups\/(\d{8}T\d{6}Z-[0-9a-f]{8})\//.exec(key)?.[1]
}

/** `lake/`: metadata of the Iceberg tables over the files of the archive and of the datasets. */
export const LAKE_PREFIX = 'lake/'

/** `lake/raw/trades`: a table's location. */
export function lakeTablePrefix(namespace: string, table: string): string {
  return `${LAKE_PREFIX}${namespace}/${table}`
}

/** `lake/raw/trades/metadata/` */
export function lakeMetadataPrefix(namespace: string, table: string): string {
  return `${lakeTablePrefix(namespace, table)}/metadata/`
}

/** `v12.metadata.json` */
export function lakeMetadataFile(version: string): string {
  return `v${version}.metadata.json`
}

/** Names the current metadata file of a table. */
export const LAKE_HINT_FILE = 'version-hint.text'

/** The table of a hint's key; undefined for any other key. */
export function parseHintKey(
  key: string,
): { readonly namespace: string; readonly name: string } | undefined {
  const match = /^lake\/([a-z]+)\/([a-z0-9_]+)\/metadata\/version-hint\.text$/.exec(key)
  return match === null ? undefined : { namespace: match[1]!, name: match[2]! }
}

/** Metadata, archived hours, and days of datasets; with the namespace and the name. */
const LAKE_FILES = [
  /^lake\/([a-z]+)\/(\w+)\/metadata\/[\w-]+\.(?:avro|metadata\.json|text)$/,
  /^(raw|derived)\/(\w+)\/exchange=[\w-]+\/date=[\d-]+\/hour=\d\d(?:\.v\d+)?\.parquet$/,
  /^(datasets)\/((\w+)\/v\d+)\/date=[\d-]+\/(?:build=[0-9a-f]+\/)?\3\.parquet$/,
]

/** The table of the lake that may name the file, or whose metadata it is; undefined: none. */
export function tableOfLakeFile(
  key: string,
): { readonly namespace: string; readonly name: string } | undefined {
  for (const pattern of LAKE_FILES) {
    const [, namespace, name] = pattern.exec(key) ?? []
    // features_1s/v4 is the table features_1s_v4.
    if (name !== undefined) return { namespace: namespace!, name: name.replace('/', '_') }
  }
  return undefined
}
