/**
 * What the queue does for a UTC day: its features, its datasets, and both again where they must.
 */
import { join } from 'node:path'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { addDays, dayOf, dayRange, fromMillis, parseDay, toIso, type Day } from '#core/time.ts'
import { forgetOtherDays } from '../datasets/build/kept-hours.ts'
import { DATASETS_JOB, runDatasets } from '../datasets/run-datasets.ts'
import { FEATURES_JOB, runFeatures, type FeaturesSettings } from '../datasets/run-features.ts'
import { selectStaleDays, type StaleDay } from '../datasets/stale-days.ts'
import { forgetLateRows } from '../day/late-rows.ts'

/** Looks for published days that are to be built again. */
export const STALE_DAYS_JOB = 'stale_days'

export interface DayTaskOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly work_dir: string
  readonly features: FeaturesSettings
  readonly keep_replaced_h: number
  readonly log: Logger
  /** The time now, in milliseconds since 1970. */
  readonly now: () => number
}

/** Errors that no repetition mends are not thrown to the queue: the run's row tells them. */
export async function runDayTask(
  { features, ...options }: DayTaskOptions,
  job: StaleDay['job'],
  payload: unknown,
  attempt: number,
  signal: AbortSignal,
): Promise<void> {
  const { date, intraday } = parsePayload(payload)
  if (intraday && !(await hasQuotes(options.pool, date))) return
  try {
    if (job === DATASETS_JOB) await runDatasets({ ...options, date, signal, attempt })
    else {
      // Every minute: rather small than fast, and from where the build before it ended.
      const kept_dir = join(options.work_dir, 'today')
      const preview = intraday ? { thread_count: 0, kept_dir } : {}
      await runFeatures({ ...options, ...features, ...preview, date, signal, attempt })
      if (!intraday) await forgetOtherDays(kept_dir, dayOf(fromMillis(options.now())))
    }
  } catch (error) {
    if (error instanceof OperatorError && !error.retryable) return
    throw error
  }
}

/** Asks for a build of every day that is stale; in an hour there is another look. */
export async function findStaleDays(
  { pool, store, log, now }: DayTaskOptions,
  rebuild: (day: StaleDay) => Promise<void>,
): Promise<void> {
  try {
    await forgetLateRows(pool)
    for (const day of await selectStaleDays(pool, store, now())) {
      log.info({ ...day }, 'A published day is to be built again.')
      await rebuild(day)
    }
  } catch (error) {
    const facts = { code: 'stale_days_failed', error: describeError(error) }
    log.warn(facts, 'Published days were not compared with the archive.')
  }
}

interface DayPayload {
  readonly date: Day
  readonly intraday: boolean
}

/** A run from the crontab is for the day before the time it was due. */
export function parsePayload(payload: unknown): DayPayload {
  const { date, intraday, _cron } = (payload ?? {}) as {
    readonly date?: unknown
    readonly intraday?: unknown
    readonly _cron?: { readonly ts?: unknown }
  }
  const due_ms = typeof _cron?.ts === 'string' ? Date.parse(_cron.ts) : NaN
  const day =
    typeof date === 'string'
      ? parseDay(date)
      : Number.isNaN(due_ms)
        ? undefined
        : addDays(dayOf(fromMillis(due_ms)), -1)
  if (day === undefined) {
    const found = JSON.stringify(payload)
    const jobs = `${FEATURES_JOB} or ${DATASETS_JOB}`
    throw new Error(`A job of ${jobs} needs a date (YYYY-MM-DD), got ${found}.`)
  }
  return { date: day, intraday: intraday === true }
}

async function hasQuotes(pool: Pool, date: Day): Promise<boolean> {
  const { from, to } = dayRange(date)
  const { rowCount } = await pool.query(
    'select 1 from marketdata.book_ticker where ts_exchange >= $1 and ts_exchange < $2 limit 1',
    [toIso(from), toIso(to)],
  )
  return rowCount === 1
}
