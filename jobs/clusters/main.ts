/** The cluster engine as a program: runs near Postgres and serves the edge worker. */
import { describeError } from '#core/errors.ts'
import { openMetricsDoor } from '#core/node/door/metrics-door.ts'
import { createLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { connectServiceManager } from '#core/node/service-manager.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { parseConfig } from './config.ts'
import { startEngine } from './engine.ts'
import { createEngineMetrics } from './metrics.ts'
import { createRedisCache } from './redis-cache.ts'
import { startServer } from './server.ts'

/** A proxy in front sends its next requests to the successor by then. */
const GRACE_MS = 2_000
/** Two compute, the third looks up: docs/deploy-edge.md adds up what all programs need. */
const CONNECTIONS = 3

try {
  const config = parseConfig(process.env)
  const log = createLogger('clusters', config.log_level)
  const pool = createPool(config.database_url, 'booktape-clusters', CONNECTIONS)
  const store = createObjectStore(config.object_store)
  const { redis_url, cache_s: lifetime_s } = config
  const shared =
    redis_url === undefined ? undefined : createRedisCache({ url: redis_url, lifetime_s, log })
  const engine = startEngine({ ...config, pool, store, shared, log, now: Date.now })
  const { metrics, noteRequest } = createEngineMetrics(engine, pool, Date.now)
  const server = await startServer({ ...config, engine, pool, log, note: noteRequest })
  const manager = connectServiceManager(process.env, log)
  const door = config.metrics && (await openMetricsDoor(config.metrics, metrics, log))
  onShutdown(log, async (reason) => {
    log.info({ reason }, 'Stopping.')
    manager.stopping()
    await server.stop(GRACE_MS)
    await engine.stop()
    await door?.close()
    store.close()
    await pool.end()
  })
  log.info({ url: server.url }, 'The cluster engine is listening.')
  manager.ready()
  tellParent({ type: 'ready', url: server.url })
} catch (error) {
  const fields = { code: 'start_failed', error: describeError(error) }
  createLogger('clusters').fatal(fields, 'The cluster engine cannot start.')
  process.exit(1)
}
