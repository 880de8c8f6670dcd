/** The exchange server as a program of the local stack. */
import { describeError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { parseConfig } from './config.ts'
import { startExchange } from './server.ts'

const log = createLogger('exchange')
try {
  const config = parseConfig(process.env)
  log.level = config.log_level
  const server = await startExchange({ ...config.exchange, log })
  onShutdown(log, async (reason) => {
    log.info({ reason }, 'Stopping.')
    await server.stop()
  })
  const { url, ws_url } = server
  log.info({ url, source: config.exchange.source.kind }, 'The exchange server is running.')
  tellParent({ type: 'ready', url, ws_url })
} catch (error) {
  log.error(
    { code: 'start_failed', error: describeError(error) },
    'The exchange server did not start.',
  )
  process.exitCode = 1
}
