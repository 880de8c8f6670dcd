/**
 * When jobs run: a durable queue and crontab in Postgres (graphile-worker), with retries. Runs that
 * were missed during downtime are made up for. The jobs themselves are defined elsewhere.
 */
import { Logger as QueueLogger, run, runMigrations, makeWorkerUtils } from 'graphile-worker'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { ARCHIVE_JOB } from '../archive/run-archive.ts'
import { BACKUP_JOB } from '../backup/run-backup.ts'
import { PUBLISHED } from '../datasets/published.ts'
import { SWEEP_JOB, sweepReplacedBuilds } from '../datasets/replaced-builds.ts'
import { DATASETS_JOB } from '../datasets/run-datasets.ts'
import type { DatasetsSettings } from '../datasets/run-datasets.ts'
import { FACTS_JOB } from '../datasets/run-facts.ts'
import { FEATURES_JOB, type FeaturesSettings } from '../datasets/run-features.ts'
import type { StaleDay } from '../datasets/stale-days.ts'
import {
  INDEX_PRICES_JOB,
  type IndexPricesConfig,
  runIndexPrices,
} from '../index-prices/run-index-prices.ts'
import { RETENTION_JOB, runRetention } from '../retention/run-retention.ts'
import type { RetentionSettings } from '../retention/settings.ts'
import { LAKE_EXPIRY_JOB, runExpiry } from '../lake/expire.ts'
import { LAKE_JOB, runLake } from '../lake/run-lake.ts'
import type { LakeSettings } from '../lake/settings.ts'
import { locksOf } from '../runs/locks.ts'
import { runValidation, VALIDATION_JOB } from '../validation/run-validation.ts'
import { type ConnectionBudget, RUN_CONNECTIONS } from './connections.ts'
import { crontabOf } from './crontab.ts'
import { findStaleDays, STALE_DAYS_JOB } from './day-tasks.ts'
import type { RunHeavy } from './heavy-task.ts'
import { createIntraday } from './intraday.ts'
import { createQueuePool } from './queue-pool.ts'

export interface ScheduleOptions {
  /** A pool of DAEMON_CONNECTIONS connections. */
  readonly pool: Pool
  /** Shared with other users of the pool. */
  readonly connections: ConnectionBudget
  readonly store: ObjectStore
  readonly work_dir: string
  readonly intraday_features_s: number
  readonly features: FeaturesSettings
  readonly datasets: DatasetsSettings
  /** How long replaced files of a dataset stay readable [h]. */
  readonly keep_replaced_h: number
  /** Polled once a minute; undefined: never. */
  readonly index_prices: IndexPricesConfig | undefined
  readonly retention: RetentionSettings
  readonly backs_up: boolean
  readonly lake: LakeSettings
  /** Runs tasks that need much memory, in this process or in another. */
  readonly runHeavy: RunHeavy
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
}

export interface Schedule {
  /** Settles when the queue has ended, after stop() or because of an error. */
  readonly ended: Promise<void>
  /** Aborts the current run, which is tried again after the next start. */
  stop(): Promise<void>
}

/** One for each queue: a poll does not wait for the features of a day. */
const CONCURRENCY = 4
/** Every daemon holds it while it runs. */
const DAEMON_LOCK = ['booktape.jobs'] as const

export async function startSchedule(options: ScheduleOptions): Promise<Schedule> {
  const { pool, connections, log, runHeavy } = options
  const controller = new AbortController()
  const intraday = createIntraday(options)
  const runDay = (job: StaleDay['job'], payload: unknown, attempt: number): Promise<void> =>
    runHeavy({ kind: 'day', job, payload, attempt }, controller.signal)
  const logger = queueLogger(log)
  await runMigrations({ pgPool: pool, logger })
  const releaseDaemonLock = await freeJobsOfDeadDaemons(pool, logger, log)
  const queue = await run({
    pgPool: createQueuePool(pool, log, controller.signal),
    logger,
    // Batches of what ended at the same moment: their errors end the queue in order. Without
    // batches they would be unhandled rejections.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    crontab: crontabOf({
      polls_index_prices: options.index_prices !== undefined,
      backs_up: options.backs_up,
    }),
    taskList: {
      [FEATURES_JOB]: (payload, { job }) =>
        intraday.note(payload, () => runDay(FEATURES_JOB, payload, job.attempts)),
      [DATASETS_JOB]: (payload, { job }) => runDay(DATASETS_JOB, payload, job.attempts),
      [FACTS_JOB]: (payload, { job }) => runDay(FACTS_JOB, payload, job.attempts),
      [STALE_DAYS_JOB]: (_payload, { addJob }) =>
        findStaleDays(options, async ({ job, date }) => {
          const jobKey = `rebuild_${job}_${date}`
          await addJob(job, { date }, { jobKey, queueName: FEATURES_JOB, maxAttempts: 9 })
        }),
      [SWEEP_JOB]: () => connections.take(RUN_CONNECTIONS, () => sweepReplacedBuilds(options)),
      [INDEX_PRICES_JOB]: () =>
        connections.take(RUN_CONNECTIONS, () => pollIndexPrices(options, controller.signal)),
      [ARCHIVE_JOB]: () => runHeavy({ kind: 'archive' }, controller.signal),
      [BACKUP_JOB]: (payload) => {
        const { kind } = payload as { readonly kind?: unknown }
        const of = kind === 'state' ? 'state' : 'full'
        return runHeavy({ kind: 'backup', of }, controller.signal)
      },
      [RETENTION_JOB]: () =>
        connections.take(RUN_CONNECTIONS, () => freePartitions(options, controller.signal)),
      [LAKE_JOB]: () =>
        connections.take(RUN_CONNECTIONS, () => commitToLake(options, controller.signal)),
      [LAKE_EXPIRY_JOB]: () =>
        connections.take(RUN_CONNECTIONS, () =>
          runExpiry({ ...options, ...options.lake, signal: controller.signal }),
        ),
      [VALIDATION_JOB]: () => connections.take(RUN_CONNECTIONS, () => validateData(options)),
    },
  })
  // The queue may end before anything awaits the promise.
  queue.promise.catch(() => undefined)
  intraday.start((payload) => {
    const spec = { jobKey: 'intraday_features', queueName: FEATURES_JOB, maxAttempts: 1 }
    queue.addJob(FEATURES_JOB, payload, spec).catch((error: unknown) => {
      log.warn({ code: 'intraday_skipped', error: describeError(error) }, 'Cannot queue a build.')
    })
  })
  return {
    ended: queue.promise,
    async stop() {
      intraday.stop()
      controller.abort(
        new OperatorError('stopped', 'The jobs daemon was stopped during the run.', {
          retryable: true,
        }),
      )
      // It throws only if the queue has already ended.
      await queue.stop().catch(() => undefined)
      await releaseDaemonLock()
    },
  }
}

/** Its row in job_runs records a failure; the next minute requests again. */
async function pollIndexPrices(options: ScheduleOptions, signal: AbortSignal): Promise<void> {
  const { index_prices, pool, log, now } = options
  // The job was left in the queue by a daemon that did poll.
  if (index_prices === undefined) return
  await runIndexPrices({ ...index_prices, pool, log, now, random: Math.random, signal }).catch(
    (error: unknown) => {
      log.warn({ code: 'poll_failed', error: describeError(error) }, 'Cannot poll index prices.')
    },
  )
}

/** Its row in job_runs records a failure; the next try is five minutes later. */
async function freePartitions(options: ScheduleOptions, signal: AbortSignal): Promise<void> {
  const { pool, retention: settings, log, now } = options
  await runRetention({ pool, settings, log, now, signal }).catch((error: unknown) => {
    const facts = { code: 'retention_failed', error: describeError(error) }
    log.warn(facts, 'Cannot drop partitions.')
  })
}

/** Rows in job_runs record failures; the next try is five minutes later. */
async function commitToLake(options: ScheduleOptions, signal: AbortSignal): Promise<void> {
  const { pool, store, log, now } = options
  const lake = { pool, store, datasets: PUBLISHED, log, now, signal, which: 'new' } as const
  await runLake(lake).catch((error: unknown) => {
    log.warn({ code: 'lake_failed', error: describeError(error) }, 'Cannot commit to the lake.')
  })
}

/** Its row in job_runs records a failure; the next check is five minutes later. */
async function validateData({ pool, store, log, now }: ScheduleOptions): Promise<void> {
  await runValidation({ pool, store, log, now }).catch((error: unknown) => {
    log.warn(
      { code: 'validation_failed', error: describeError(error) },
      'Cannot validate the data.',
    )
  })
}

/**
 * The queue releases the jobs of a killed daemon only after four hours. If no other daemon is
 * running, every holder of a job is dead, so its jobs are released at once. Returns a function that
 * gives up the lock which marks this daemon as running.
 */
async function freeJobsOfDeadDaemons(
  pool: Pool,
  logger: QueueLogger,
  log: Logger,
): Promise<() => Promise<void>> {
  const locks = locksOf(pool)
  if (await locks.take(DAEMON_LOCK)) {
    const held = await pool.query<{ locked_by: string }>(
      'select distinct locked_by from graphile_worker.jobs where locked_by is not null',
    )
    const dead = held.rows.map((row) => row.locked_by)
    if (dead.length > 0) {
      const utils = await makeWorkerUtils({ pgPool: pool, logger })
      await utils.forceUnlockWorkers(dead)
      await utils.release()
      log.info({ worker_count: dead.length }, 'Released the jobs of a killed daemon.')
    }
  }
  return () => locks.free(DAEMON_LOCK)
}

/** The queue's own messages, one level lower: its "info" is routine. */
function queueLogger(log: Logger): QueueLogger {
  const levels = { error: 'warn', warning: 'warn', info: 'debug', debug: 'trace' } as const
  return new QueueLogger(() => (level, message) => {
    log[levels[level]]({ queue: message }, 'Queue message.')
  })
}
