/** The edge worker in real workerd, as a program of the stack. */
import { describeError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { helperProcesses } from './helper-processes.ts'
import { followRevoked } from './revoked-tokens.ts'
import { buildWorker, startWorker } from './worker.ts'

const log = createLogger('edge-worker')

try {
  await main()
} catch (error) {
  log.fatal({ code: 'start_failed', error: describeError(error) }, 'The edge worker did not start.')
  process.exit(1)
}

async function main(): Promise<void> {
  const { PORT, BUNDLE_DIR, PERSIST_DIR, REVOKED_FILE, ...environment } = process.env
  const bundle = await buildWorker(BUNDLE_DIR!)
  const bindings = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith('BINDING_') && value !== undefined
        ? [[name.slice('BINDING_'.length), value]]
        : [],
    ),
  )
  const worker = await startWorker({
    port: Number(PORT),
    bundle,
    bindings,
    persist_dir: PERSIST_DIR!,
  })
  const revoked = await followRevoked(REVOKED_FILE!, worker.revokeToken, (error) => {
    const fields = { code: 'revoke_failed', error: describeError(error) }
    log.error(fields, 'Could not read the list of revoked tokens.')
  })
  onShutdown(log, () => {
    revoked.stop()
    return worker.stop()
  })
  tellParent({ type: 'ready', url: worker.url, helpers: helperProcesses() })
}
