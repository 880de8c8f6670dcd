/** The live server as a program. It follows the tapes of the ingestors on this machine. */
import { describeError, OperatorError } from '#core/errors.ts'
import { createLogger, type Logger } from '#core/node/log.ts'
import { connectServiceManager } from '#core/node/service-manager.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { parseConfig } from './config.ts'
import { type LiveServer, startLiveServer } from './live-server.ts'

await main()

async function main(): Promise<void> {
  let log = createLogger('live')
  let server: LiveServer | undefined
  try {
    const config = parseConfig(process.env)
    log = createLogger('live', config.log_level)
    const manager = connectServiceManager(process.env, log)
    const shutdown = onShutdown(log, async (reason) => {
      log.info({ reason }, 'Stopping.')
      manager.stopping()
      await server?.stop()
    })
    server = await startLiveServer(config, log, shutdown.signal)
    server.failed.catch((error: unknown) => {
      logFatal(log, error)
      shutdown.begin('failed', 1)
    })
    log.info({ url: server.url }, 'The live server is listening.')
    manager.ready()
    tellParent({ type: 'ready', url: server.url, metrics_url: server.metrics_url })
  } catch (error) {
    // A shutdown also ends a start that is still waiting.
    if (error instanceof Error && error.name === 'AbortError') return
    logFatal(log, error)
    process.exit(1)
  }
}

/** Prints a stack only if the mistake is ours. */
function logFatal(log: Logger, error: unknown): void {
  if (error instanceof OperatorError) log.fatal({ code: error.code }, describeError(error))
  else log.fatal({ code: 'live_failed', stack: (error as Error).stack }, describeError(error))
}
