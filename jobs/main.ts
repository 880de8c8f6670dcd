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
import { startLoop } from './schedule/loop.ts'
import { scheduledJobs } from './schedule/crontab.ts'
import { startSchedule } from './schedule/schedule.ts'
import { createTopnJob, TOPN_JOB } from './topn/run-topn.ts'

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
  const { work_dir, intraday_features_s, features, index_prices, topn, rollups_every_s } = config
  const { retention, keep_replaced_h, backup } = config
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
    keep_replaced_h,
    index_prices,
    retention,
    backs_up,
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
  const manager = connectServiceManager(process.env, log)
  const shutdown = onShutdown(log, async (reason) => {
    log.info({ reason }, 'Stopping.')
    manager.stopping()
    await door?.close()
    await Promise.all([schedule.stop(), topn_loop?.stop(), rollups_loop?.stop()])
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
