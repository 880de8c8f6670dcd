/**
 * The job `features`: builds features_1s, labels_1s and, for chosen symbols, features_100ms of one
 * UTC day, and publishes them. It also stores the day's fit for the features of the next day. The
 * result is a function of the day's rows: equal rows give equal bytes.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatasetInputs, Manifest } from '#core/dataset.ts'
import { MANIFEST_FILE } from '#core/object-keys.ts'
import { addDays, fromMillis, type Micros, micros, SECOND_US } from '#core/time.ts'
import { withDay, type OpenDay } from '../day/day.ts'
import { noData } from '../day/days.ts'
import { announceFeatureRead } from '../day/late-rows.ts'
import { putFit, readFit, type DayFit } from '../features/fit/fit.ts'
import type { RunLog } from '../runs/run.ts'
import { inlineBuilder, threadBuilder, type Builder } from './build/builders.ts'
import { digestCode } from './build/code-digest.ts'
import { buildFiles, type BuiltDay, type BuiltSet } from './build/feature-files.ts'
import { forgetOtherDays, openKeptHours, type OpenKeptHours, readSeen } from './build/kept-hours.ts'
import type { KeptHours } from './build/made-day.ts'
import {
  type DayJobOptions,
  type DayResult,
  type DayRun,
  publishSet,
  type PublishedSet,
  runDayJob,
} from './day-job.ts'
import { symbolCoverage } from './files/coverage.ts'

export const FEATURES_JOB = 'features'
/** Rows rarely arrive later than this. Hours that end after it are not kept yet. */
const SETTLE_US = 120 * SECOND_US

/** Settings that hold for every day. */
export interface FeaturesSettings {
  /** Worker threads that compute; 0: the main thread computes. */
  readonly thread_count: number
  /** Symbols for which features_100ms is built. */
  readonly symbols_100ms: readonly string[]
  /** Whether features_1s_f32 is built for days that are over. Default: no. */
  readonly with_f32?: boolean
}

export interface FeaturesOptions extends DayJobOptions, FeaturesSettings {
  /**
   * Also copies the published files to EXPORT_DIR: features_1s into date=YYYY-MM-DD, the others
   * into DATASET/date=YYYY-MM-DD.
   */
  readonly export_dir?: string
  /**
   * Folder that keeps finished hours, so that the day's next build continues after them. Undefined:
   * the day is built from its start and nothing is kept. Works only without threads.
   */
  readonly kept_dir?: string
}

export interface FeaturesResult extends DayResult {
  /** Of features_1s, like row_count. */
  readonly symbol_count: number
  /** features_1s first. */
  readonly sets: readonly [PublishedSet, ...PublishedSet[]]
}

/**
 * Errors: `day_in_future`; `no_data` if nothing was recorded in the day; `run_in_progress`. Needs
 * two connections of the pool, and each thread opens one of its own.
 */
export function runFeatures(options: FeaturesOptions): Promise<FeaturesResult> {
  return runDayJob(FEATURES_JOB, options, async (run) => {
    const { store, date } = options
    const fit = await readFit(store, addDays(date, -1))
    const settled_to = await settle(options)
    const { built, inputs } = await withDay(options, date, async (day) => ({
      built: await build(options, day, run, fit, settled_to),
      inputs: inputsOf(day, fit),
    }))
    const sets = await publish(options, run, built, inputs)
    // An incomplete day leaves no fit: the next day would not be rebuilt when it changes.
    if (run.complete) await putFit(store, date, built.fits)
    const { symbol_count, row_count } = sets[0]
    return { symbol_count, row_count, sets }
  })
}

/** If hours are kept, rows older than `settled_to` that arrive from now on are logged. */
async function build(
  options: FeaturesOptions,
  day: OpenDay,
  { dir, complete: is_complete, log, signal, onSymbol }: DayRun,
  fit: DayFit | undefined,
  settled_to: Micros,
): Promise<BuiltDay> {
  const { pool, date, symbols_100ms, with_f32 = false } = options
  const { symbols } = day
  if (symbols.length === 0) {
    await day.release()
    throw await noData(pool, date)
  }
  const fits = fit?.symbols ?? []
  log.info({ symbol_count: symbols.length, fit_count: fits.length }, 'Building features.')
  const kept = await openKept(options, day, settled_to, log)
  const builder = await startBuilder(options.thread_count, day, signal, kept)
  const wanted = {
    dir,
    date,
    symbols,
    symbols_100ms,
    with_f32: with_f32 && is_complete,
    fits,
    is_complete,
  }
  try {
    const built = await buildFiles({ ...wanted, builder, onSymbol })
    await kept?.finish()
    return built
  } finally {
    await builder.close()
  }
}

/** Runs before the day is opened, so that rows which arrive later are logged. */
async function settle({ pool, kept_dir, now }: FeaturesOptions): Promise<Micros> {
  const settled_to = micros(fromMillis(now()) - SETTLE_US)
  if (kept_dir !== undefined) await announceFeatureRead(pool, settled_to)
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

/** Uses at most one thread per symbol. */
async function startBuilder(
  thread_count: number,
  day: OpenDay,
  signal: AbortSignal,
  kept: KeptHours | undefined,
): Promise<Builder> {
  if (thread_count === 0) {
    await day.releaseIfArchived()
    return inlineBuilder(day.reader, signal, kept)
  }
  const count = Math.min(thread_count, day.symbols.length)
  const builder = await threadBuilder(await day.share(), count, signal)
  await day.release()
  return builder
}

function inputsOf(
  { revised_hours, ledger_sha256 }: OpenDay,
  fit: DayFit | undefined,
): DatasetInputs {
  return {
    fit: fit === undefined ? null : { key: fit.key, sha256: fit.sha256 },
    revised_hours,
    ledger_sha256,
  }
}

async function publish(
  options: FeaturesOptions,
  run: DayRun,
  { sets: [first, ...others] }: BuiltDay,
  inputs: DatasetInputs,
): Promise<FeaturesResult['sets']> {
  const { date, export_dir } = options
  const publishOne = (
    { set, summaries, dir, row_count, files }: BuiltSet,
    folder: string,
  ): Promise<PublishedSet> => {
    const coverage = summaries.map((summary) => symbolCoverage(summary))
    const on_disk = { ...set, dir, row_count, files, coverage }
    return publishSet(options, run, on_disk, inputs, async (manifest) => {
      if (export_dir === undefined) return
      await exportFiles(dir, join(export_dir, folder, `date=${date}`), manifest)
    })
  }
  const published: [PublishedSet, ...PublishedSet[]] = [await publishOne(first, '')]
  for (const built of others) published.push(await publishOne(built, built.set.dataset))
  return published
}

async function exportFiles(
  dir: string,
  target: string,
  manifest: Omit<Manifest, 'build'>,
): Promise<void> {
  await mkdir(target, { recursive: true })
  for (const { name } of manifest.files) await copyFile(join(dir, name), join(target, name))
  await writeFile(join(target, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`)
}
