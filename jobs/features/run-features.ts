/**
 * The job `features`: builds features_1s, labels_1s and, for chosen symbols, features_100ms for
 * one UTC day and publishes them, with what the day leaves for the features of the next. A
 * function of the day: the same rows give the same bytes, whoever runs it, and whenever.
 */
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatasetInputs, Manifest } from '#core/dataset.ts'
import { OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { MANIFEST_FILE } from '#core/object-keys.ts'
import { addDays, dayOf, fromMillis, type Day } from '#core/time.ts'
import { symbolCoverage } from '../datasets/coverage.ts'
import { publishDay, type PublishedFile } from '../datasets/publish.ts'
import { KEEP_REPLACED_H } from '../datasets/replaced-builds.ts'
import { runJob, type RunLog } from '../run.ts'
import { withDay, type OpenDay } from '../source/day.ts'
import { noData } from '../source/days.ts'
import { buildFiles, type BuiltDay, type BuiltSet } from './build-files.ts'
import { inlineBuilder, threadBuilder, type Builder } from './builders.ts'
import { putFit, readFit, type DayFit } from './fit/fit.ts'

export const FEATURES_JOB = 'features'
const PROGRESS_INTERVAL_MS = 10_000

/** How a day is built, whichever day it is. */
export interface FeaturesSettings {
  /** Threads that compute beside this one; 0: this one computes too. */
  readonly thread_count: number
  /** Names of symbols that features_100ms is made of. */
  readonly symbols_100ms: readonly string[]
}

export interface FeaturesOptions extends FeaturesSettings {
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
  /** How long files that were replaced stay readable [h]; KEEP_REPLACED_H where it is not said. */
  readonly keep_replaced_h?: number
  /**
   * Copies what was published to EXPORT_DIR as well: features_1s into date=YYYY-MM-DD, the others
   * into DATASET/date=YYYY-MM-DD.
   */
  readonly export_dir?: string
  readonly onProgress?: (done_count: number, symbol_count: number) => void
}

export interface PublishedSet {
  readonly dataset: string
  readonly symbol_count: number
  readonly row_count: number
  readonly files: readonly PublishedFile[]
}

export interface FeaturesResult {
  readonly date: Day
  readonly complete: boolean
  /** Of features_1s, as is row_count. */
  readonly symbol_count: number
  readonly row_count: number
  /** Of all files. */
  readonly byte_count: number
  /** features_1s first. */
  readonly sets: readonly [PublishedSet, ...PublishedSet[]]
}

/**
 * Errors: `day_in_future`; `no_data` where nothing was recorded in the day; `run_in_progress`.
 * Needs three connections of the pool, and one of its own a thread.
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
  const { store, date, work_dir, now } = options
  const signal = options.signal ?? new AbortController().signal
  const started_ms = now()
  // The run's lock makes this folder ours alone; an earlier run may have been killed in it.
  const dir = join(work_dir, `${FEATURES_JOB}-${date}`)
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  try {
    const fit = await readFit(store, addDays(date, -1))
    const { built, inputs } = await withDay(options, date, async (day) => ({
      built: await build(options, day, fit, dir, log, signal),
      inputs: inputsOf(day, fit),
    }))
    const sets = await publish(options, built, inputs, complete, signal)
    // Of a day that is not over the next one is not to be made: it would not be made again.
    if (complete) await putFit(store, date, built.fits)
    const result = {
      date,
      complete,
      symbol_count: sets[0].symbol_count,
      row_count: sets[0].row_count,
      byte_count: sets.flatMap(({ files }) => files).reduce((sum, { bytes }) => sum + bytes, 0),
    }
    log.info({ ...result, elapsed_ms: now() - started_ms }, 'Published.')
    return { ...result, sets }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function build(
  options: FeaturesOptions,
  day: OpenDay,
  fit: DayFit | undefined,
  dir: string,
  log: RunLog,
  signal: AbortSignal,
): Promise<BuiltDay> {
  const { pool, date, now, symbols_100ms, onProgress } = options
  const { symbols } = day
  if (symbols.length === 0) throw await noData(pool, date)
  const fits = fit?.symbols ?? []
  log.info({ symbol_count: symbols.length, fit_count: fits.length }, 'Building features.')
  const builder = await startBuilder(options.thread_count, day, signal)
  let reported_ms = now()
  try {
    return await buildFiles({
      dir,
      date,
      symbols,
      symbols_100ms,
      fits,
      builder,
      onSymbol(done_count, symbol_count) {
        onProgress?.(done_count, symbol_count)
        if (now() - reported_ms < PROGRESS_INTERVAL_MS) return
        reported_ms = now()
        log.info({ done_count, symbol_count }, 'Building.')
      },
    })
  } finally {
    await builder.close()
  }
}

/** No more threads than there are symbols. */
async function startBuilder(
  thread_count: number,
  day: OpenDay,
  signal: AbortSignal,
): Promise<Builder> {
  if (thread_count === 0) return inlineBuilder(day.reader, signal)
  const count = Math.min(thread_count, day.symbols.length)
  const builder = await threadBuilder(await day.share(), count, signal)
  await day.release()
  return builder
}

function inputsOf({ revised_hours, ledger_sha256 }: OpenDay, fit: DayFit | undefined): DatasetInputs {
  return {
    fit: fit === undefined ? null : { key: fit.key, sha256: fit.sha256 },
    revised_hours,
    ledger_sha256,
  }
}

async function publish(
  { store, date, export_dir, now, keep_replaced_h = KEEP_REPLACED_H }: FeaturesOptions,
  { sets: [first, ...others] }: BuiltDay,
  inputs: DatasetInputs,
  complete: boolean,
  signal: AbortSignal,
): Promise<FeaturesResult['sets']> {
  const publishSet = async (built: BuiltSet, export_folder: string): Promise<PublishedSet> => {
    const { set, dir, row_count } = built
    const manifest = {
      dataset: set.dataset,
      schema_version: set.schema_version,
      date,
      complete,
      row_count,
      columns: set.columns,
      files: built.files,
      coverage: built.summaries.map((summary) => symbolCoverage(summary)),
      inputs,
    }
    const publishing = { store, job: FEATURES_JOB, date, keep_replaced_h, now, signal }
    const files = await publishDay(publishing, dir, manifest)
    if (export_dir !== undefined) {
      await exportFiles(dir, join(export_dir, export_folder, `date=${date}`), manifest)
    }
    return { dataset: set.dataset, symbol_count: built.summaries.length, row_count, files }
  }
  const published: [PublishedSet, ...PublishedSet[]] = [await publishSet(first, '')]
  for (const built of others) published.push(await publishSet(built, built.set.dataset))
  return published
}

async function exportFiles(dir: string, target: string, manifest: Manifest): Promise<void> {
  await mkdir(target, { recursive: true })
  for (const { name } of manifest.files) await copyFile(join(dir, name), join(target, name))
  await writeFile(join(target, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`)
}
