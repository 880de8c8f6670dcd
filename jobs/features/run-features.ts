/**
 * The job `features`: builds features_1s for one UTC day and publishes it. A function of the
 * day: the same rows give the same bytes, whoever runs it, and whenever.
 */
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatasetFile, Manifest } from '#core/dataset.ts'
import { OperatorError } from '#core/errors.ts'
import { FEATURES_1S, FEATURES_1S_VERSION } from '#core/features.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { MANIFEST_FILE, stagingKey, stagingPrefix } from '#core/object-keys.ts'
import { dayOf, dayRange, fromMillis, parseDay, type Day } from '#core/time.ts'
import { createFeaturesArrow } from '../datasets/arrow.ts'
import { symbolCoverage, writeCoverage, type SymbolSummary } from '../datasets/coverage.ts'
import { createFeaturesParquet } from '../datasets/parquet.ts'
import { describeFile, publishDay, type PublishedFile } from '../datasets/publish.ts'
import { runJob, withLock, type RunLog } from '../run.ts'
import { selectDaysWithData, withPostgresDay } from '../source/postgres.ts'
import type { DaySource } from '../source/source.ts'
import { gridTimes } from './grid.ts'
import { buildSymbolDay, exchangeDays } from './symbol-day.ts'

export const FEATURES_JOB = 'features'
const DATASET = 'features_1s'
const DAYS_NAMED_MAX = 10
const PROGRESS_INTERVAL_MS = 10_000

export interface FeaturesOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly date: Day
  /** Holds the files while they are made; nothing is left there. */
  readonly work_dir: string
  readonly log: Logger
  /** The time now, in milliseconds since 1970. */
  readonly now: () => number
  /** Ends the run early; nothing is published then. */
  readonly signal?: AbortSignal
  readonly attempt?: number
  /** Copies what was published to EXPORT_DIR/date=YYYY-MM-DD as well. */
  readonly export_dir?: string
  readonly onProgress?: (done_count: number, symbol_count: number) => void
}

export interface FeaturesResult {
  readonly dataset: string
  readonly date: Day
  readonly complete: boolean
  readonly symbol_count: number
  readonly row_count: number
  readonly byte_count: number
  readonly files: readonly PublishedFile[]
}

/**
 * Errors: `day_in_future`; `no_data` where nothing was recorded in the day; `run_in_progress`.
 * Needs three connections of the pool.
 */
export async function runFeatures(options: FeaturesOptions): Promise<FeaturesResult> {
  const { pool, date, now, log, attempt = 1 } = options
  const today = dayOf(fromMillis(now()))
  if (date > today) {
    throw new OperatorError('day_in_future', `${date} has not begun: today is ${today} (UTC).`, {
      hint: 'Name a day up to today.',
    })
  }
  const run = { job: FEATURES_JOB, job_window: date, attempt, now, log }
  return runJob(pool, run, (run_log) => buildAndPublish(options, run_log, date < today))
}

async function buildAndPublish(
  options: FeaturesOptions,
  log: RunLog,
  complete: boolean,
): Promise<FeaturesResult> {
  const { pool, store, date, work_dir, now } = options
  const signal = options.signal ?? new AbortController().signal
  const started_ms = now()
  // The run's lock makes this folder ours alone; an earlier run may have been killed in it.
  const dir = join(work_dir, `${DATASET}-${date}`)
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  try {
    await deleteLeftOvers(pool, store, date)
    const built = await withPostgresDay(pool, date, (source) =>
      buildFiles(options, source, dir, log, signal),
    )
    const manifest: Manifest = {
      dataset: DATASET,
      schema_version: FEATURES_1S_VERSION,
      date,
      complete,
      row_count: built.row_count,
      columns: FEATURES_1S,
      files: built.files,
      coverage: built.summaries.map(symbolCoverage),
    }
    const files = await publishDay(store, dir, date, manifest, signal)
    if (options.export_dir !== undefined) await exportFiles(dir, options.export_dir, manifest)
    const symbol_count = built.summaries.length
    const byte_count = files.reduce((sum, file) => sum + file.bytes, 0)
    const { row_count } = built
    log.info(
      { symbol_count, row_count, byte_count, complete, elapsed_ms: now() - started_ms },
      'Published.',
    )
    return { dataset: DATASET, date, complete, symbol_count, row_count, byte_count, files }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

interface Built {
  readonly summaries: readonly SymbolSummary[]
  readonly files: readonly DatasetFile[]
  readonly row_count: number
}

/** One symbol after another, so that memory holds one symbol's day and not more. */
async function buildFiles(
  { pool, date, now, onProgress }: FeaturesOptions,
  source: DaySource,
  dir: string,
  log: RunLog,
  signal: AbortSignal,
): Promise<Built> {
  const { symbols } = source
  if (symbols.length === 0) throw await noData(pool, date)
  const exchange_days = exchangeDays(symbols, dayRange(date).from)
  log.info({ symbol_count: symbols.length }, 'Building features.')

  const identity = { dataset: DATASET, schema_version: FEATURES_1S_VERSION, date }
  const names = {
    exchange: [...exchange_days.keys()],
    symbol: [...new Set(symbols.map(({ symbol }) => symbol))],
  }
  const parquet = createFeaturesParquet(join(dir, `${DATASET}.parquet`), FEATURES_1S, identity)
  const arrow_path = join(dir, `${DATASET}.arrow`)
  const arrow = await createFeaturesArrow(arrow_path, FEATURES_1S, names, identity)
  const summaries: SymbolSummary[] = []
  let row_count = 0
  let reported_ms = now()
  try {
    for (const symbol of symbols) {
      const exchange_day = exchange_days.get(symbol.exchange)!
      const { columns, ...summary } = await buildSymbolDay(source, symbol, exchange_day, signal)
      const { exchange, grid } = summary
      const rows = { exchange, symbol: symbol.symbol, ts: gridTimes(grid), columns }
      await parquet.write(rows)
      await arrow.write(rows)
      summaries.push(summary)
      row_count += grid.row_count
      onProgress?.(summaries.length, symbols.length)
      if (now() - reported_ms >= PROGRESS_INTERVAL_MS) {
        reported_ms = now()
        const done_count = summaries.length
        log.info({ done_count, symbol_count: symbols.length, row_count }, 'Building.')
      }
    }
    await parquet.finish()
    await arrow.finish()
  } finally {
    await arrow.close()
  }
  const coverage_count = await writeCoverage(join(dir, 'coverage.parquet'), summaries, identity)
  const files = [
    await describeFile(dir, `${DATASET}.parquet`, 'parquet', row_count),
    await describeFile(dir, `${DATASET}.arrow`, 'arrow', row_count),
    await describeFile(dir, 'coverage.parquet', 'parquet', coverage_count),
  ]
  return { summaries, files, row_count }
}

async function noData(pool: Pool, date: Day): Promise<OperatorError> {
  const days = await selectDaysWithData(pool, DAYS_NAMED_MAX)
  const found = days.length === 0 ? 'no day has any' : `days with data are ${days.join(', ')}`
  return new OperatorError('no_data', `There are no quotes and no trades of ${date}; ${found}.`, {
    hint: 'Name one of those days, or check that the ingestor was running.',
  })
}

/** Staged files whose run is not alive: their day's lock is free. Our own day's lock is ours. */
async function deleteLeftOvers(pool: Pool, store: ObjectStore, own_date: Day): Promise<void> {
  const prefix = stagingPrefix(DATASET)
  const keys = (await store.list(prefix)).map(({ key }) => key)
  const dates = new Set(keys.map((key) => parseDay(key.slice(prefix.length).slice(5, 15))))
  for (const date of dates) {
    if (date === undefined) continue
    const of_date = keys.filter((key) => key.startsWith(stagingKey(DATASET, date, '')))
    const deleteAll = async (): Promise<void> => {
      for (const key of of_date) await store.delete(key)
    }
    if (date === own_date) await deleteAll()
    else await withLock(pool, FEATURES_JOB, date, deleteAll)
  }
}

async function exportFiles(dir: string, export_dir: string, manifest: Manifest): Promise<void> {
  const target = join(export_dir, `date=${manifest.date}`)
  await mkdir(target, { recursive: true })
  for (const { name } of manifest.files) await copyFile(join(dir, name), join(target, name))
  await writeFile(join(target, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`)
}
