/**
 * The job `verify_dataset`: reads every file of a published day back and compares it with the
 * manifest, with the other files and with the gap ledger. It changes nothing.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import {
  datasetFileKey,
  DATASETS_PREFIX,
  latestKey,
  MANIFEST_FILE,
  manifestKey,
  parseManifestKey,
} from '#core/object-keys.ts'
import type { Day } from '#core/time.ts'
import { digestOf } from '../../columns/digest.ts'
import { runJob, type RunResult } from '../../runs/run.ts'
import { checkCoverage } from './coverage-file.ts'
import { isEmptied } from '../publish.ts'
import { createFindings, type DatasetFinding, type ReportFinding } from './finding.ts'
import { checkManifest, type CheckedFile, type CheckedManifest } from './manifest.ts'
import { checkArrow, checkCsv } from './other-files.ts'
import { checkTable, type TableFacts } from './table-file.ts'

export const VERIFY_JOB = 'verify_dataset'
const COVERAGE_FILE = 'coverage.parquet'

export interface VerifyOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly dataset: string
  readonly date: Day
  /** Holds the Parquet file and one other file at a time, and is emptied afterwards. */
  readonly work_dir: string
  readonly log: Logger
  readonly now: () => number
}

export interface VerifyResult extends RunResult {
  readonly schema_version: number
  readonly file_count: number
  /** Empty if everything is right. */
  readonly findings: readonly DatasetFinding[]
}

/** Errors: `not_published` if the day is not published. Needs two connections of the pool. */
export function runVerify(options: VerifyOptions): Promise<VerifyResult> {
  const { pool, dataset, date, now, log } = options
  const run = { job: VERIFY_JOB, job_window: `${dataset} ${date}`, attempt: 1, now, log }
  return runJob(pool, run, async (run_log) => {
    const result = await verify(options)
    for (const finding of result.findings) {
      run_log.warn({ code: 'dataset_wrong', ...finding }, 'A published dataset is wrong.')
    }
    return result
  })
}

async function verify(options: VerifyOptions): Promise<VerifyResult> {
  const { store, dataset, date, work_dir } = options
  const schema_version = await newestVersion(store, dataset, date)
  const { findings, report } = createFindings()
  const bytes = await store.get(manifestKey(dataset, schema_version, date))
  const manifest = checkManifest(bytes!)
  if (typeof manifest === 'string') {
    report(MANIFEST_FILE, manifest)
    return { schema_version, file_count: 0, row_count: 0, byte_count: 0, findings }
  }
  checkIdentity(manifest, { dataset, schema_version, date }, report)
  await checkFolder(store, manifest, report)
  await checkLatest(store, manifest, report)
  const dir = join(work_dir, `${VERIFY_JOB}-${dataset}-${date}`)
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  try {
    await checkFiles(options, manifest, dir, report)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  return {
    schema_version,
    file_count: manifest.files.length,
    row_count: manifest.row_count,
    byte_count: manifest.files.reduce((sum, file) => sum + file.bytes, 0),
    findings,
  }
}

async function newestVersion(store: ObjectStore, dataset: string, date: Day): Promise<number> {
  const keys = await store.list(`${DATASETS_PREFIX}${dataset}/`)
  const versions = keys.flatMap(({ key }) => {
    const parts = parseManifestKey(key)
    return parts?.date === date ? [parts.schema_version] : []
  })
  if (versions.length > 0) return Math.max(...versions)
  throw new OperatorError('not_published', `${dataset} of ${date} has no manifest.`, {
    hint: 'Publish the day with `npx booktape jobs run features`, `... datasets` or `... facts`.',
  })
}

function checkIdentity(
  manifest: CheckedManifest,
  expected: { readonly dataset: string; readonly schema_version: number; readonly date: Day },
  report: ReportFinding,
): void {
  for (const name of ['dataset', 'schema_version', 'date'] as const) {
    if (manifest[name] === expected[name]) continue
    report(MANIFEST_FILE, `It says ${name} ${manifest[name]}, but its key says ${expected[name]}.`)
  }
  const row_count = manifest.coverage.reduce((sum, symbol) => sum + symbol.row_count, 0)
  if (row_count === manifest.row_count) return
  const sum = `Its symbols have ${row_count} rows in total`
  report(MANIFEST_FILE, `${sum}, but it says ${manifest.row_count}.`)
}

/** A file that the manifest does not name misleads people who list the folder. */
async function checkFolder(
  store: ObjectStore,
  manifest: CheckedManifest,
  report: ReportFinding,
): Promise<void> {
  const { date, files, build } = manifest
  // A build without a folder shares the manifest's folder with the folders of other builds.
  if (build === undefined) return
  const prefix = datasetFileKey(manifest, date as Day, '')
  const names = new Set(files.map(({ name }) => name))
  for (const { key } of await store.list(prefix)) {
    const name = key.slice(prefix.length)
    if (!names.has(name)) report(name, 'It is in the folder, but the manifest does not name it.')
  }
}

async function checkLatest(
  store: ObjectStore,
  manifest: CheckedManifest,
  report: ReportFinding,
): Promise<void> {
  const { dataset, schema_version, date, complete } = manifest
  const bytes = await store.get(latestKey(dataset))
  if (bytes === undefined) {
    report('latest.json', 'It is missing.')
    return
  }
  const latest = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<CheckedManifest>
  if (complete && !isEmptied(manifest) && String(latest.date) < date) {
    report('latest.json', `It names ${latest.date}, which is before this day.`)
  }
  if ((latest.schema_version ?? 0) < schema_version) {
    report('latest.json', `It names the older version ${latest.schema_version}.`)
  }
}

/** Checks the Parquet file first, because the others are compared with it. */
async function checkFiles(
  { pool, store }: VerifyOptions,
  manifest: CheckedManifest,
  dir: string,
  report: ReportFinding,
): Promise<void> {
  const { dataset, date, files } = manifest
  const main = `${dataset}.parquet`
  const in_order = files.toSorted((a, b) => Number(b.name === main) - Number(a.name === main))
  if (in_order[0]?.name !== main) report(MANIFEST_FILE, `It does not name ${main}.`)
  let table: TableFacts | undefined
  for (const file of in_order) {
    const path = join(dir, file.name)
    const key = datasetFileKey(manifest, date as Day, file.name)
    if (!(await fetchFile(store, key, path, file, report))) continue
    try {
      if (file.name === main) table = await checkMain(path, file, manifest, report)
      else if (file.name === COVERAGE_FILE) await checkCoverage(pool, path, file, manifest, report)
      else if (file.format === 'arrow') await checkArrow(path, file, manifest, table, report)
      else if (file.format === 'csv.gz') await checkCsv(path, file, table, report)
    } catch (error) {
      report(file.name, `Reading it failed: ${describeError(error)}.`)
    }
    await rm(path)
  }
}

async function checkMain(
  path: string,
  file: CheckedFile,
  manifest: CheckedManifest,
  report: ReportFinding,
): Promise<TableFacts> {
  const table = await checkTable(path, file, manifest, report)
  for (const { exchange, symbol, row_count } of manifest.coverage) {
    const found = table.row_counts.get(`${exchange} ${symbol}`) ?? 0
    if (found === row_count) continue
    report(file.name, `${symbol} has ${found} rows, but the manifest says ${row_count}.`)
  }
  return table
}

/** Returns false if the file is missing. */
async function fetchFile(
  store: ObjectStore,
  key: string,
  path: string,
  { name, bytes, sha256 }: CheckedFile,
  report: ReportFinding,
): Promise<boolean> {
  const stream = await store.read(key)
  if (stream === undefined) {
    report(name, 'It is not in the store.')
    return false
  }
  await pipeline(stream, createWriteStream(path))
  const found = await digestOf(createReadStream(path))
  if (found.bytes !== bytes) {
    report(name, `It has ${found.bytes} bytes, but the manifest says ${bytes}.`)
  }
  if (found.sha256 !== sha256) {
    report(name, `Its sha256 is ${found.sha256}, but the manifest says ${sha256}.`)
  }
  return true
}
