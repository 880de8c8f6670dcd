/** The edge API as a program on Node. On Cloudflare, worker.ts is the entry point. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError, describeError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import { connectServiceManager } from '#core/node/service-manager.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { drain } from '#core/node/drain.ts'
import { parseNodeConfig } from './node/config.ts'
import { startNodeServer } from './node/server.ts'

/** A proxy in front sends its next requests to the successor by then. */
const GRACE_MS = 2_000
const ASSETS_DIR = join(import.meta.dirname, 'dist', 'public')

try {
  const config = parseNodeConfig(process.env)
  if (!existsSync(join(ASSETS_DIR, '_headers'))) {
    throw new OperatorError('no_assets', `${ASSETS_DIR} has no static files.`, {
      hint: 'Run `node edge-api/build-assets.mjs` in a checkout with all packages.',
    })
  }
  const log = createLogger('edge-api', config.log_level)
  const server = await startNodeServer(config, process.env, ASSETS_DIR, log)
  const manager = connectServiceManager(process.env, log)
  onShutdown(log, async () => {
    manager.stopping()
    await drain(server.http, GRACE_MS)
  })
  log.info({ url: server.url }, 'The edge API is listening.')
  manager.ready()
  tellParent({ type: 'ready', url: server.url })
} catch (error) {
  const fields = { code: 'start_failed', error: describeError(error) }
  createLogger('edge-api').fatal(fields, 'The edge API cannot start.')
  process.exitCode = 1
}
