/** The gateway as a program: runs near Postgres and serves the edge worker. */
import { describeError } from '#core/errors.ts'
import { openMetricsDoor } from '#core/node/door/metrics-door.ts'
import { createLogger } from '#core/node/log.ts'
import { connectServiceManager } from '#core/node/service-manager.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { parseConfig } from './config.ts'
import { startGateway } from './server.ts'

/** A proxy in front sends its next requests to the successor by then. */
const GRACE_MS = 2_000

try {
  const config = parseConfig(process.env)
  const log = createLogger('gateway', config.log_level)
  const gateway = await startGateway(config, log)
  const manager = connectServiceManager(process.env, log)
  const door = config.metrics && (await openMetricsDoor(config.metrics, gateway.metrics, log))
  onShutdown(log, async () => {
    manager.stopping()
    await gateway.stop(GRACE_MS)
    await door?.close()
  })
  log.info({ url: gateway.url }, 'The gateway is listening.')
  manager.ready()
  tellParent({ type: 'ready', url: gateway.url })
} catch (error) {
  const fields = { code: 'start_failed', error: describeError(error) }
  createLogger('gateway').fatal(fields, 'The gateway cannot start.')
  process.exitCode = 1
}
