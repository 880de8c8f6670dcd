/**
 * The job `datasets`: builds candles, trades and quotes of one UTC day and publishes them. A
 * function of the day, as the job `features` is: the same rows give the same bytes.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatasetInputs } from '#core/dataset.ts'
import { OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { dayOf, fromMillis, type Day } from '#core/time.ts'
import { withDay, type OpenDay } from '../day/day.ts'
import { noData } from '../day/days.ts'
import { runJob, type RunLog, type RunResult } from '../runs/run.ts'
import { buildMarketFiles } from './build/market-files.ts'
import type { MarketSet } from './build/market-set.ts'
import { symbolCoverage } from './files/coverage.ts'
import { publishDay, type PublishedFile } from './publish.ts'
import { KEEP_REPLACED_H } from './replaced-builds.ts'

export const DATASETS_JOB = 'datasets'
const PROGRESS_INTERVAL_MS = 10_000

export interface DatasetsOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly date: Day
  /** Holds the files while they are made; nothing is left there. */
  readonly work_dir: string
  readonly log: Logger
  /** The time now, in milliseconds since 1970. */
  readonly now: () => number
  /** Ends the run early; what is being published then stays as it was. */
  readonly signal?: AbortSignal
  readonly attempt?: number
  /** How long files that were replaced stay readable [h]; KEEP_REPLACED_H where it is not said. */
  readonly keep_replaced_h?: number
  readonly onProgress?: (done_count: number, symbol_count: number) => void
}

export interface PublishedSet {
  readonly dataset: string
  readonly symbol_count: number
  readonly row_count: number
  readonly files: readonly PublishedFile[]
}

export interface DatasetsResult extends RunResult {
  readonly date: Day
  readonly complete: boolean
  /** Candles, trades, quotes. */
  readonly sets: readonly PublishedSet[]
}

/**
 * Errors: `day_in_future`; `no_data` where nothing was recorded in the day; `run_in_progress`.
 * Needs three connections of the pool.
 */
export async function runDatasets(options: DatasetsOptions): Promise<DatasetsResult> {
  const { pool, date, now, log, attempt = 1 } = options
  const today = dayOf(fromMillis(now()))
  if (date > today) {
    throw new OperatorError('day_in_future', `${date} has not begun: today is ${today} (UTC).`, {
      hint: 'Name a day up to today.',
    })
  }
  const run = { job: DATASETS_JOB, job_window: date, attempt, now, log }
  return runJob(pool, run, (run_log) => buildAndPublish(options, run_log, date < today))
}

async function buildAndPublish(
  options: DatasetsOptions,
  log: RunLog,
  complete: boolean,
): Promise<DatasetsResult> {
  const { date, work_dir, now } = options
  const signal = options.signal ?? new AbortController().signal
  const started_ms = now()
  // The run's lock makes this folder ours alone; an earlier run may have been killed in it.
  const dir = join(work_dir, `${DATASETS_JOB}-${date}`)
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  try {
    const { built, inputs } = await withDay(options, date, async (day) => ({
      built: await build(options, day, dir, log, signal),
      inputs: {
        fit: null,
        revised_hours: day.revised_hours,
        ledger_sha256: day.ledger_sha256,
      },
    }))
    const sets: PublishedSet[] = []
    for (const set of built) sets.push(await publish(options, set, inputs, complete, signal))
    const result = {
      date,
      complete,
      row_count: sets.reduce((sum, { row_count }) => sum + row_count, 0),
      byte_count: sets.flatMap(({ files }) => files).reduce((sum, { bytes }) => sum + bytes, 0),
    }
    log.info({ ...result, elapsed_ms: now() - started_ms }, 'Published.')
    return { ...result, sets }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function build(
  { pool, date, now, onProgress }: DatasetsOptions,
  day: OpenDay,
  dir: string,
  log: RunLog,
  signal: AbortSignal,
): Promise<readonly MarketSet[]> {
  if (day.symbols.length === 0) throw await noData(pool, date)
  log.info({ symbol_count: day.symbols.length }, 'Building candles, trades and quotes.')
  let reported_ms = now()
  return buildMarketFiles({
    day,
    dir,
    date,
    signal,
    onSymbol(done_count, symbol_count) {
      onProgress?.(done_count, symbol_count)
      if (now() - reported_ms < PROGRESS_INTERVAL_MS) return
      reported_ms = now()
      log.info({ done_count, symbol_count }, 'Building.')
    },
  })
}

async function publish(
  { store, date, now, keep_replaced_h = KEEP_REPLACED_H }: DatasetsOptions,
  { dataset, schema_version, columns, dir, row_count, files, summaries }: MarketSet,
  inputs: DatasetInputs,
  complete: boolean,
  signal: AbortSignal,
): Promise<PublishedSet> {
  const manifest = {
    dataset,
    schema_version,
    date,
    complete,
    row_count,
    columns,
    files,
    coverage: summaries.map(({ summary, rows }) => symbolCoverage(summary, rows)),
    inputs,
  }
  const publishing = { store, job: DATASETS_JOB, date, keep_replaced_h, now, signal }
  const published = await publishDay(publishing, dir, manifest)
  return { dataset, symbol_count: summaries.length, row_count, files: published }
}
