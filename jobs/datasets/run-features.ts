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
import { addDays, dayOf, fromMillis, type Micros, micros, SECOND_US, type Day } from '#core/time.ts'
import { withDay, type OpenDay } from '../day/day.ts'
import { noData } from '../day/days.ts'
import { announceRead } from '../day/late-rows.ts'
import { putFit, readFit, type DayFit } from '../features/fit/fit.ts'
import { runJob, type RunLog } from '../runs/run.ts'
import { inlineBuilder, threadBuilder, type Builder } from './build/builders.ts'
import { digestCode } from './build/code-digest.ts'
import { buildFiles, type BuiltDay, type BuiltSet } from './build/feature-files.ts'
import { forgetOtherDays, openKeptHours, type OpenKeptHours, readSeen } from './build/kept-hours.ts'
import type { KeptHours } from './build/made-day.ts'
import { symbolCoverage } from './files/coverage.ts'
import { publishDay, type PublishedFile } from './publish.ts'
import { KEEP_REPLACED_H } from './replaced-builds.ts'

export const FEATURES_JOB = 'features'
const PROGRESS_INTERVAL_MS = 10_000
/** Rows come later than that only after trouble: hours that end after it are not kept yet. */
const SETTLE_US = 120 * SECOND_US

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
  /**
   * Where hours of the day that are finished are kept for its next build, which goes on behind them;
   * undefined: the day is built from its start, and nothing is kept. Only without threads.
   */
  readonly kept_dir?: string
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
    const settled_to = await settle(options)
    const { built, inputs } = await withDay(options, date, async (day) => ({
      built: await build(options, day, { fit, dir, settled_to, is_complete: complete }, log, signal),
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

interface BuildPlace {
  readonly fit: DayFit | undefined
  readonly dir: string
  /** Rows before it that come from now on are logged, where hours are kept. */
  readonly settled_to: Micros
  readonly is_complete: boolean
}

async function build(
  options: FeaturesOptions,
  day: OpenDay,
  { fit, dir, settled_to, is_complete }: BuildPlace,
  log: RunLog,
  signal: AbortSignal,
): Promise<BuiltDay> {
  const { pool, date, now, symbols_100ms, onProgress } = options
  const { symbols } = day
  if (symbols.length === 0) throw await noData(pool, date)
  const fits = fit?.symbols ?? []
  log.info({ symbol_count: symbols.length, fit_count: fits.length }, 'Building features.')
  const kept = await openKept(options, day, settled_to, log)
  const builder = await startBuilder(options.thread_count, day, signal, kept)
  let reported_ms = now()
  try {
    const built = await buildFiles({
      dir,
      date,
      symbols,
      symbols_100ms,
      fits,
      is_complete,
      builder,
      onSymbol(done_count, symbol_count) {
        onProgress?.(done_count, symbol_count)
        if (now() - reported_ms < PROGRESS_INTERVAL_MS) return
        reported_ms = now()
        log.info({ done_count, symbol_count }, 'Building.')
      },
    })
    await kept?.finish()
    return built
  } finally {
    await builder.close()
  }
}

/** Before the day is opened: what comes late to it from now on is logged. */
async function settle({ pool, kept_dir, now }: FeaturesOptions): Promise<Micros> {
  const settled_to = micros(fromMillis(now()) - SETTLE_US)
  if (kept_dir !== undefined) await announceRead(pool, settled_to)
  return settled_to
}

async function openKept(
  { kept_dir, date }: FeaturesOptions,
  day: OpenDay,
  settled_to: Micros,
  log: RunLog,
): Promise<OpenKeptHours | undefined> {
  if (kept_dir === undefined) return undefined
  await forgetOtherDays(kept_dir, date)
  const dir = join(kept_dir, date)
  const [code, late] = [await digestCode(), await day.lateSince(await readSeen(dir))]
  return openKeptHours({ dir, code, late, settled_to, log, revised: day.revised_files })
}

/** No more threads than there are symbols. */
async function startBuilder(
  thread_count: number,
  day: OpenDay,
  signal: AbortSignal,
  kept: KeptHours | undefined,
): Promise<Builder> {
  if (thread_count === 0) return inlineBuilder(day.reader, signal, kept)
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
