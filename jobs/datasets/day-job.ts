/**
 * Shared by the jobs that build and publish a UTC day: options, checks, the work folder, progress
 * and the manifest.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatasetInputs, Manifest } from '#core/dataset.ts'
import { OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { dayOf, fromMillis, type Day } from '#core/time.ts'
import { runJob, type RunLog, type RunResult } from '../runs/run.ts'
import type { SetOnDisk } from './files/set-on-disk.ts'
import { publishDay, type PublishedFile } from './publish.ts'
import { KEEP_REPLACED_H, namedFilesOf } from './replaced-builds.ts'

const PROGRESS_INTERVAL_MS = 10_000

export interface DayJobOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly date: Day
  /** Holds the files during the build and is emptied afterwards. */
  readonly work_dir: string
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
  /** Ends the run early. A day that is being published stays as it was. */
  readonly signal?: AbortSignal
  readonly attempt?: number
  /** How long replaced files stay readable [h]. Default: KEEP_REPLACED_H. */
  readonly keep_replaced_h?: number
  readonly onProgress?: (done_count: number, symbol_count: number) => void
}

/** One run of such a job. */
export interface DayRun {
  readonly job: string
  /** Work folder of this run. */
  readonly dir: string
  /** The day is over. */
  readonly complete: boolean
  readonly log: RunLog
  readonly signal: AbortSignal
  readonly onSymbol: (done_count: number, symbol_count: number) => void
}

export interface PublishedSet {
  readonly dataset: string
  readonly symbol_count: number
  readonly row_count: number
  readonly files: readonly PublishedFile[]
}

export interface DayResult extends RunResult {
  readonly date: Day
  readonly complete: boolean
  readonly sets: readonly PublishedSet[]
}

/**
 * Runs `work` for the day, under the job's lock. Errors: `day_in_future`; `run_in_progress`; errors
 * of `work`.
 */
export async function runDayJob<
  Made extends { readonly row_count: number; readonly sets: readonly PublishedSet[] },
>(
  job: string,
  options: DayJobOptions,
  work: (run: DayRun) => Promise<Made>,
): Promise<DayResult & Made> {
  const { pool, date, work_dir, now, log: program_log, attempt = 1 } = options
  const signal = options.signal ?? new AbortController().signal
  const today = dayOf(fromMillis(now()))
  if (date > today) {
    throw new OperatorError('day_in_future', `${date} has not begun. Today is ${today} (UTC).`, {
      hint: 'Give a day up to today.',
    })
  }
  const complete = date < today
  const run = { job, job_window: date, attempt, now, log: program_log }
  return runJob(pool, run, async (log) => {
    const started_ms = now()
    // The run holds the lock, so it owns this folder. A killed run may have left files in it.
    const dir = join(work_dir, `${job}-${date}`)
    await rm(dir, { recursive: true, force: true })
    await mkdir(dir, { recursive: true })
    try {
      const onSymbol = progress(options, log)
      const made = await work({ job, dir, complete, log, signal, onSymbol })
      const { sets, ...facts } = made
      const files = sets.flatMap((set) => set.files)
      const byte_count = files.reduce((sum, { bytes }) => sum + bytes, 0)
      const elapsed_ms = now() - started_ms
      log.info({ date, complete, ...facts, byte_count, elapsed_ms }, 'Published.')
      return { ...made, date, complete, byte_count }
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
}

/** Publishes a dataset. `onManifest` gets the manifest without its build id. */
export async function publishSet(
  { pool, store, date, now, keep_replaced_h = KEEP_REPLACED_H }: DayJobOptions,
  { job, complete, signal }: DayRun,
  { dir, ...set }: SetOnDisk & Pick<Manifest, 'coverage'>,
  inputs: DatasetInputs,
  onManifest?: (manifest: Omit<Manifest, 'build'>) => Promise<void>,
): Promise<PublishedSet> {
  const { dataset, schema_version, row_count, columns, files: on_disk, coverage, parameters } = set
  const manifest = {
    dataset,
    schema_version,
    date,
    complete,
    row_count,
    columns,
    files: on_disk,
    coverage,
    ...(parameters === undefined ? {} : { parameters }),
    inputs,
  }
  const namedFiles = namedFilesOf({ pool, store })
  const publishing = { store, job, date, keep_replaced_h, now, signal, namedFiles }
  const files = await publishDay(publishing, dir, manifest)
  await onManifest?.(manifest)
  return { dataset, symbol_count: coverage.length, row_count, files }
}

function progress({ now, onProgress }: DayJobOptions, log: RunLog): DayRun['onSymbol'] {
  let reported_ms = now()
  return (done_count, symbol_count) => {
    onProgress?.(done_count, symbol_count)
    if (now() - reported_ms < PROGRESS_INTERVAL_MS) return
    reported_ms = now()
    log.info({ done_count, symbol_count }, 'Building.')
  }
}
