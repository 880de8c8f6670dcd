/**
 * When jobs run: a durable queue and crontab in Postgres (graphile-worker), with retries, and
 * with the runs that were missed while nothing was running. What a job does is not known here.
 */
import { Logger as QueueLogger, run, runMigrations, makeWorkerUtils } from 'graphile-worker'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { addDays, dayOf, dayRange, fromMillis, parseDay, toIso, type Day } from '#core/time.ts'
import { FEATURES_JOB, runFeatures } from './features/run-features.ts'

export interface ScheduleOptions {
  /** Needs six connections. */
  readonly pool: Pool
  readonly store: ObjectStore
  readonly work_dir: string
  readonly intraday_features_s: number
  readonly log: Logger
  /** The time now, in milliseconds since 1970. */
  readonly now: () => number
}

export interface Schedule {
  /** Settles when the queue has ended, be it by stop() or by itself. */
  readonly ended: Promise<void>
  /** Ends the run that is on, which is tried again after the next start. */
  stop(): Promise<void>
}

/**
 * Every night at 00:10 UTC the day before. `fill`: runs missed in the last week are made up for.
 * `max`: attempts, with waits of e^n seconds between them, over an hour in all.
 */
const CRONTAB = `10 0 * * * ${FEATURES_JOB} ?id=nightly_features&fill=7d&max=9&queue=features`
/** Held by every daemon as long as it lives. */
const DAEMON_LOCK = 'booktape.jobs'

export async function startSchedule(options: ScheduleOptions): Promise<Schedule> {
  const { pool, log, intraday_features_s } = options
  const controller = new AbortController()
  const logger = queueLogger(log)
  await runMigrations({ pgPool: pool, logger })
  const releaseDaemonLock = await freeJobsOfTheDead(pool, logger, log)
  const queue = await run({
    pgPool: pool,
    logger,
    concurrency: 1,
    noHandleSignals: true,
    crontab: CRONTAB,
    taskList: {
      [FEATURES_JOB]: (payload, { job }) =>
        runTask(options, payload, job.attempts, controller.signal),
    },
  })
  const addIntraday = (): void => {
    const date = dayOf(fromMillis(options.now()))
    const spec = { jobKey: 'intraday_features', queueName: FEATURES_JOB, maxAttempts: 1 }
    queue.addJob(FEATURES_JOB, { date, intraday: true }, spec).catch((error: unknown) => {
      log.warn({ code: 'intraday_skipped', error: describeError(error) }, 'Postgres took no job.')
    })
  }
  const intraday =
    intraday_features_s > 0 ? setInterval(addIntraday, intraday_features_s * 1_000) : undefined
  return {
    ended: queue.promise,
    async stop() {
      clearInterval(intraday)
      controller.abort(
        new OperatorError('stopped', 'The jobs daemon was stopped in the middle of the run.', {
          retryable: true,
        }),
      )
      // It refuses only where it has ended by itself already.
      await queue.stop().catch(() => undefined)
      releaseDaemonLock()
    },
  }
}

/** Errors that no repetition mends are not thrown to the queue: the run's row tells them. */
async function runTask(
  options: ScheduleOptions,
  payload: unknown,
  attempt: number,
  signal: AbortSignal,
): Promise<void> {
  const { pool, store, work_dir, log, now } = options
  const { date, intraday } = parsePayload(payload)
  if (intraday && !(await hasQuotes(pool, date))) return
  try {
    await runFeatures({ pool, store, date, work_dir, log, now, signal, attempt })
  } catch (error) {
    if (error instanceof OperatorError && !error.retryable) return
    throw error
  }
}

interface FeaturesPayload {
  readonly date: Day
  readonly intraday: boolean
}

/** A run from the crontab is for the day before the time it was due. */
export function parsePayload(payload: unknown): FeaturesPayload {
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
    throw new Error(`A job of ${FEATURES_JOB} needs a date (YYYY-MM-DD), got ${found}.`)
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

/**
 * The queue gives a killed daemon's jobs back after four hours. Where no other daemon lives,
 * whoever still holds a job is dead, and it can run again at once. Returns how to let go of the
 * lock that says that we live.
 */
async function freeJobsOfTheDead(
  pool: Pool,
  logger: QueueLogger,
  log: Logger,
): Promise<() => void> {
  const client = await pool.connect()
  client.on('error', (error) => {
    const facts = { code: 'daemon_lock_lost', error: error.message }
    log.warn(facts, 'The daemon lock is gone with its connection.')
  })
  const { rows } = await client.query<{ alone: boolean }>(
    'select pg_try_advisory_lock(hashtext($1)) as alone',
    [DAEMON_LOCK],
  )
  if (rows[0]?.alone === true) {
    const held = await client.query<{ locked_by: string }>(
      'select distinct locked_by from graphile_worker.jobs where locked_by is not null',
    )
    const dead = held.rows.map((row) => row.locked_by)
    if (dead.length > 0) {
      const utils = await makeWorkerUtils({ pgPool: pool, logger })
      await utils.forceUnlockWorkers(dead)
      await utils.release()
      log.info({ worker_count: dead.length }, 'Took over the jobs of a daemon that was killed.')
    }
  }
  // Destroyed, not given back: the lock ends with its session.
  return () => client.release(true)
}

/** The queue's own words, one level down: its "info" is what happens all day. */
function queueLogger(log: Logger): QueueLogger {
  const levels = { error: 'warn', warning: 'warn', info: 'debug', debug: 'trace' } as const
  return new QueueLogger(() => (level, message) => {
    log[levels[level]]({ queue: message }, 'Queue message.')
  })
}
