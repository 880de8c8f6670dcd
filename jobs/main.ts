/** The jobs daemon: keeps the schedule until it is told to stop. */
import { describeError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { parseConfig, type JobsConfig } from './config.ts'
import { startSchedule } from './schedule.ts'

const POOL_SIZE = 8

let config: JobsConfig
try {
  config = parseConfig(process.env)
} catch (error) {
  createLogger('jobs').fatal({ code: 'bad_config', error: describeError(error) }, 'Cannot start.')
  process.exit(1)
}
const log = createLogger('jobs', config.log_level)
const pool = createPool(config.database_url, 'booktape-jobs', POOL_SIZE)
const store = createObjectStore(config.object_store)
try {
  const { work_dir, intraday_features_s } = config
  const schedule = await startSchedule({
    pool,
    store,
    work_dir,
    intraday_features_s,
    log,
    now: Date.now,
  })
  const shutdown = onShutdown(log, async (reason) => {
    log.info({ reason }, 'Stopping.')
    await schedule.stop()
    store.close()
    await pool.end()
  })
  const queueEnded = (reason: unknown): void => {
    if (shutdown.signal.aborted) return
    log.error({ code: 'queue_ended', error: describeError(reason) }, 'The queue ended by itself.')
    shutdown.begin('queue_ended', 1)
  }
  schedule.ended.then(() => queueEnded('no reason given'), queueEnded)
  log.info({ intraday_features_s }, 'Ready.')
  tellParent({ type: 'ready' })
} catch (error) {
  log.fatal({ code: 'start_failed', error: describeError(error) }, 'Cannot start.')
  process.exit(1)
}
