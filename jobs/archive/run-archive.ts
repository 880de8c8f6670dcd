/**
 * The job `archive`: archives every hour and table that is due, oldest first, each in a run of its
 * own with a lock and a row in job_runs. A failed hour does not stop the others.
 */
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { fromMillis, HOUR_US, micros } from '#core/time.ts'
import { runJob } from '../runs/run.ts'
import { archiveHour, type HourOptions, type HourResult } from './archive-hour.ts'
import { selectDueHours } from './due-hours.ts'
import { writeIndexes } from './index-file.ts'
import { writeInstruments } from './instruments-file.ts'
import { hourWindow, type TableHour } from './records.ts'

export const ARCHIVE_JOB = 'archive'

export interface ArchiveOptions extends Omit<HourOptions, 'signal'> {
  readonly log: Logger
  readonly signal?: AbortSignal
  /** Archives exactly these hours; undefined: all that are due. */
  readonly hours?: readonly TableHour[]
  /**
   * Wait after the end of an hour [us], default one hour: a slow or restarted ingestor may still
   * add rows. Rows that arrive later still create a new version.
   */
  readonly delay_us?: number
  readonly onHour?: (table_hour: TableHour, result: HourResult) => void
}

export interface ArchiveResult {
  readonly hour_count: number
  readonly file_count: number
  readonly unchanged_count: number
  readonly row_count: number
  readonly byte_count: number
}

/**
 * Errors: `hour_not_over` if one of `hours` has not ended; `archive_incomplete` if hours failed.
 * Each failed hour has a row in job_runs. Needs two connections of the pool.
 */
export async function runArchive(options: ArchiveOptions): Promise<ArchiveResult> {
  const { pool, store, now, log, delay_us = HOUR_US } = options
  const signal = options.signal ?? new AbortController().signal
  const hours = options.hours ?? (await selectDueHours(pool, micros(fromMillis(now()) - delay_us)))
  for (const table_hour of hours) refuseUnfinished(table_hour, now())
  const results: HourResult[] = []
  const failures: unknown[] = []
  for (const table_hour of hours) {
    signal.throwIfAborted()
    const run = { job: ARCHIVE_JOB, job_window: hourWindow(table_hour), attempt: 1, now, log }
    try {
      const result = await runJob(pool, run, (run_log) =>
        archiveHour({ ...options, signal }, table_hour, run_log),
      )
      options.onHour?.(table_hour, result)
      results.push(result)
    } catch (error) {
      signal.throwIfAborted()
      failures.push(error)
    }
  }
  await writeIndexes(pool, store)
  await writeInstruments(pool, store)
  if (failures.length > 0) throw incomplete(failures, hours.length)
  const sum = (pick: (result: HourResult) => number): number =>
    results.reduce((total, result) => total + pick(result), 0)
  return {
    hour_count: results.length,
    file_count: sum(({ object_keys }) => object_keys.length),
    unchanged_count: sum(({ unchanged_count }) => unchanged_count),
    row_count: sum(({ row_count }) => row_count),
    byte_count: sum(({ byte_count }) => byte_count),
  }
}

function refuseUnfinished(table_hour: TableHour, now_ms: number): void {
  if (table_hour.hour + HOUR_US <= fromMillis(now_ms)) return
  throw new OperatorError('hour_not_over', `${hourWindow(table_hour)} is not over yet.`, {
    hint: 'Give an hour (UTC) that is over.',
  })
}

function incomplete(failures: readonly unknown[], hour_count: number): OperatorError {
  const first = describeError(failures[0])
  return new OperatorError(
    'archive_incomplete',
    `${failures.length} of ${hour_count} hours could not be archived. The first: ${first}`,
    { hint: '`npx booktape jobs ls` lists them. The next run tries again.', retryable: true },
  )
}
