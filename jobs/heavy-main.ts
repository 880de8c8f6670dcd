/** The process of one heavy task: receives it over IPC, reports the result, and exits. */
import { OperatorError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { parseConfig } from './config.ts'
import { failureOf } from './runs/failure.ts'
import { onRunEnd } from './runs/run-events.ts'
import { HEAVY_CONNECTIONS } from './schedule/connections.ts'
import { type FromHeavy, type HeavyTask, runHeavyTask } from './schedule/heavy-task.ts'

const config = parseConfig(process.env)
const log = createLogger('jobs', config.log_level)
const controller = new AbortController()
const ended = Promise.withResolvers<void>()
const shutdown = onShutdown(log, async () => {
  controller.abort(
    new OperatorError('stopped', 'The jobs daemon was stopped during the run.', {
      retryable: true,
    }),
  )
  await ended.promise
})
onRunEnd((ended_run) => tellParent({ type: 'run_ended', run: ended_run }))
process.once('message', (task: HeavyTask) => {
  void run(task).then((message) => {
    tellParent(message)
    ended.resolve()
    shutdown.begin('done')
  })
})

async function run(task: HeavyTask): Promise<FromHeavy> {
  const pool = createPool(config.database_url, 'booktape-jobs-heavy', HEAVY_CONNECTIONS)
  const store = createObjectStore(config.object_store)
  try {
    await runHeavyTask({ ...config, pool, store, log, now: Date.now }, task, controller.signal)
    return { type: 'done' }
  } catch (error) {
    return { type: 'failed', failure: failureOf(error) }
  } finally {
    store.close()
    await pool.end()
  }
}
