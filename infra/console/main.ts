/** The console: shows operators the whole installation and lets them control it. */
import { describeError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import { connectServiceManager } from '#core/node/service-manager.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { parseConfig } from './config.ts'
import { startConsole } from './server.ts'

const log = createLogger('console')

try {
  const config = parseConfig(process.env)
  log.level = config.log_level
  const { url, stop } = await startConsole(config, log)
  const manager = connectServiceManager(process.env, log)
  onShutdown(log, async (reason) => {
    log.info({ reason }, 'Stopping.')
    manager.stopping()
    await stop()
  })
  manager.ready()
  tellParent({ type: 'ready', url })
} catch (error) {
  log.fatal({ code: 'start_failed', error: describeError(error) }, 'The console did not start.')
  process.exit(1)
}
