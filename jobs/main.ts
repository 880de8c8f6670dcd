/** The jobs daemon: runs the schedule until it is stopped. */
import { describeError, OperatorError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { openMetricsDoor } from '#core/node/door/metrics-door.ts'
import { createPool } from '#core/node/pool.ts'
import { connectServiceManager } from '#core/node/service-manager.ts'
import { requireSession } from '#core/node/session-check.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { requireWritable } from '#core/node/writable-directory.ts'
import { parseConfig, type JobsConfig } from './config.ts'
import { createJobMetrics } from './metrics/job-metrics.ts'
import { ROLLUPS_JOB, runRollups } from './rollups/run-rollups.ts'
import {
  createConnectionBudget,
  DAEMON_CONNECTIONS,
  RUN_CONNECTIONS,
} from './schedule/connections.ts'
import { runInProcess } from './heavy-process.ts'
import { type Loop, startLoop } from './runs/loop.ts'
import { scheduledJobs } from './schedule/crontab.ts'
import { startSchedule } from './schedule/schedule.ts'
import { createSignalsJob, SIGNALS_JOB } from './signals/run-signals.ts'
import { createTopnJob, TOPN_JOB } from './topn/run-topn.ts'
import { createWebhookJob, WEBHOOK_JOB } from './webhook/deliver.ts'
import type { WebhookSettings } from './webhook/settings.ts'

const WEBHOOK_CONNECTIONS = 1
const WEBHOOK_EVERY_S = 1

let config: JobsConfig
try {
  config = parseConfig(process.env)
  requireWritable(config.work_dir, 'WORK_DIR')
} catch (error) {
  const code = error instanceof OperatorError ? error.code : 'start_failed'
  createLogger('jobs').fatal({ code, error: describeError(error) }, 'Cannot start.')
  process.exit(1)
}
const log = createLogger('jobs', config.log_level)
const pool = createPool(config.database_url, 'booktape-jobs', DAEMON_CONNECTIONS)
const store = createObjectStore(config.object_store)
try {
  const { work_dir, intraday_features_s, features, datasets, index_prices, topn, rollups_every_s } =
    config
  const { retention, keep_replaced_h, backup, lake, signals, webhook } = config
  const backs_up = backup.keep_count > 0
  await requireSession(pool)
  const metrics = createJobMetrics({
    pool,
    store,
    retention,
    jobs: [
      ...scheduledJobs({ polls_index_prices: index_prices !== undefined, backs_up }),
      ...(topn.every_s === 0 ? [] : [TOPN_JOB]),
      ...(rollups_every_s === 0 ? [] : [ROLLUPS_JOB]),
      ...(signals.every_s === 0 ? [] : [SIGNALS_JOB]),
    ],
    log,
    now: Date.now,
  })
  const door =
    config.metrics === undefined ? undefined : await openMetricsDoor(config.metrics, metrics, log)
  const connections = createConnectionBudget()
  const schedule = await startSchedule({
    pool,
    connections,
    store,
    work_dir,
    intraday_features_s,
    features,
    datasets,
    keep_replaced_h,
    index_prices,
    retention,
    backs_up,
    lake,
    runHeavy: runInProcess,
    log,
    now: Date.now,
  })
  const { run } = createTopnJob({ pool, cadence: topn.cadence, log, now: Date.now })
  const { every_s } = topn
  const runTopn = (signal: AbortSignal): Promise<unknown> =>
    connections.take(RUN_CONNECTIONS, () => run(signal))
  const topn_loop =
    every_s === 0 ? undefined : startLoop({ job: TOPN_JOB, every_s, run: runTopn, log })
  const rollups_loop =
    rollups_every_s === 0
      ? undefined
      : startLoop({
          job: ROLLUPS_JOB,
          every_s: rollups_every_s,
          run: (signal) =>
            connections.take(RUN_CONNECTIONS, () =>
              runRollups({ pool, log, now: Date.now, signal }),
            ),
          log,
        })
  const signals_job = createSignalsJob({
    pool,
    store,
    symbols: signals.symbols,
    keep_days: signals.keep_days,
    has_webhook: webhook !== undefined,
    log,
    now: Date.now,
  })
  const signals_loop =
    signals.every_s === 0
      ? undefined
      : startLoop({
          job: SIGNALS_JOB,
          every_s: signals.every_s,
          run: (signal) => connections.take(RUN_CONNECTIONS, () => signals_job.run(signal)),
          log,
        })
  const webhook_loop = webhook && startWebhook(webhook)
  const manager = connectServiceManager(process.env, log)
  const shutdown = onShutdown(log, async (reason) => {
    log.info({ reason }, 'Stopping.')
    manager.stopping()
    await door?.close()
    await Promise.all([schedule.stop(), topn_loop?.stop(), rollups_loop?.stop()])
    await Promise.all([signals_loop?.stop(), webhook_loop?.stop()])
    store.close()
    await pool.end()
  })
  const queueEnded = (reason: unknown): void => {
    if (shutdown.signal.aborted) return
    log.error({ code: 'queue_ended', error: describeError(reason) }, 'The queue ended by error.')
    shutdown.begin('queue_ended', 1)
  }
  schedule.ended.then(() => queueEnded('no reason given'), queueEnded)
  log.info({ intraday_features_s, index_names: index_prices?.names ?? [] }, 'Ready.')
  manager.ready()
  tellParent({ type: 'ready' })
} catch (error) {
  log.fatal({ code: 'start_failed', error: describeError(error) }, 'Cannot start.')
  process.exit(1)
}

/** On its own connection: a receiver that answers slowly holds up no other job. */
function startWebhook(settings: WebhookSettings): Loop {
  const own = createPool(config.database_url, 'booktape-webhook', WEBHOOK_CONNECTIONS)
  const { run } = createWebhookJob({ pool: own, settings, log, now: Date.now, random: Math.random })
  const loop = startLoop({ job: WEBHOOK_JOB, every_s: WEBHOOK_EVERY_S, run, log })
  return {
    async stop() {
      await loop.stop()
      await own.end()
    },
  }
}
