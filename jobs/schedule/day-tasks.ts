/** The queue's tasks for a UTC day: build features and datasets, and rebuild stale days. */
import { join } from 'node:path'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { addDays, dayOf, dayRange, fromMillis, parseDay, toIso, type Day } from '#core/time.ts'
import { forgetOtherDays } from '../datasets/build/kept-hours.ts'
import { DATASETS_JOB, type DatasetsSettings, runDatasets } from '../datasets/run-datasets.ts'
import { FACTS_JOB, runFacts } from '../datasets/run-facts.ts'
import { FEATURES_JOB, runFeatures, type FeaturesSettings } from '../datasets/run-features.ts'
import { selectStaleDays, type StaleDay } from '../datasets/stale-days.ts'
import { retireGoneEngine } from '../clusters/registration.ts'
import { forgetLateRows } from '../day/late-rows.ts'

/** Finds published days to rebuild. */
export const STALE_DAYS_JOB = 'stale_days'

export interface DayTaskOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly work_dir: string
  readonly features: FeaturesSettings
  readonly datasets: DatasetsSettings
  readonly keep_replaced_h: number
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
}

/** An error that retrying cannot fix is only recorded in job_runs, not thrown to the queue. */
export async function runDayTask(
  { features, datasets, ...options }: DayTaskOptions,
  job: StaleDay['job'],
  payload: unknown,
  attempt: number,
  signal: AbortSignal,
): Promise<void> {
  const { date, intraday } = parsePayload(payload)
  if (intraday && !(await hasQuotes(options.pool, date))) return
  try {
    if (job === FACTS_JOB) {
      await runFacts({ ...options, which: 'changed', date, signal, attempt })
    } else if (job === DATASETS_JOB) {
      await runDatasets({ ...options, ...datasets, date, signal, attempt })
    } else {
      // Runs every minute, so it uses little memory and continues after the last build's hours.
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

/** Queues a build of every stale day. The next check is an hour later. */
export async function findStaleDays(
  { pool, store, log, now }: DayTaskOptions,
  rebuild: (day: StaleDay) => Promise<void>,
): Promise<void> {
  try {
    await forgetLateRows(pool)
    if (await retireGoneEngine(pool)) {
      log.warn({ code: 'cluster_engine_gone' }, 'Late trades are no longer logged for clusters.')
    }
    for (const day of await selectStaleDays(pool, store, now())) {
      log.info({ ...day }, 'A published day is stale; rebuilding it.')
      await rebuild(day)
    }
  } catch (error) {
    const facts = { code: 'stale_days_failed', error: describeError(error) }
    log.warn(facts, 'Cannot check published days against the archive.')
  }
}

interface DayPayload {
  readonly date: Day
  readonly intraday: boolean
}

/** The crontab's runs are for the day before their due time. */
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
    const jobs = `${FEATURES_JOB}, ${DATASETS_JOB} or ${FACTS_JOB}`
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
