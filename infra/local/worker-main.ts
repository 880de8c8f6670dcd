/** The edge worker in a workerd of its own, as a program of the stack. */
import { describeError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { helperProcesses } from './helper-processes.ts'
import { buildWorker } from './worker.ts'
import { startWorkerd } from './workerd/start.ts'

const log = createLogger('edge-worker')

try {
  await main()
} catch (error) {
  log.fatal({ code: 'start_failed', error: describeError(error) }, 'The edge worker did not start.')
  process.exit(1)
}

async function main(): Promise<void> {
  const { PORT, BUNDLE_DIR, WORKERD_DIR, REVOKED_FILE, ...environment } = process.env
  const bundle = await buildWorker(BUNDLE_DIR!)
  const bindings = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith('BINDING_') && value !== undefined
        ? [[name.slice('BINDING_'.length), value]]
        : [],
    ),
  )
  const worker = await startWorkerd({
    port: Number(PORT),
    bundle,
    bindings,
    dir: WORKERD_DIR!,
    revoked_file: REVOKED_FILE!,
  })
  worker.ended.catch((error: unknown) => {
    log.fatal({ code: 'workerd_ended', error: describeError(error) }, 'The edge worker ended.')
    process.exit(1)
  })
  onShutdown(log, () => worker.stop())
  tellParent({ type: 'ready', url: worker.url, helpers: helperProcesses() })
}
