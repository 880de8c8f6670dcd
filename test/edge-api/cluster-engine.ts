/** The cluster engine behind the edge API of a test, until the file ends. */
import { silentLogger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { startEngine } from '../../jobs/clusters/engine.ts'
import { registerEngine } from '../../jobs/clusters/registration.ts'
import { startServer } from '../../jobs/clusters/server.ts'
import { atFileEnd } from '../support/file-end.ts'

const SECRET = 'a secret of the tests'

export interface TestClusterEngine {
  /** Of the worker that asks it. */
  readonly bindings: Readonly<Record<string, string>>
  /** Refuses requests from then on. */
  stop(): Promise<void>
}

export async function startClusterEngine(edge: {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly database_url: string
}): Promise<TestClusterEngine> {
  await registerEngine(edge.pool)
  const pool = createPool(edge.database_url, 'booktape-clusters', 3)
  const engine = startEngine({
    pool,
    store: edge.store,
    shared: undefined,
    names: [],
    watch_s: 300,
    cache_bytes_max: 64 << 20,
    cache_s: 3_600,
    every_s: 3_600,
    wait_ms: 100_000,
    log: silentLogger,
    now: Date.now,
  })
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    secret: SECRET,
    requests_max: 64,
    engine,
    pool,
    log: silentLogger,
    note: () => undefined,
  })
  atFileEnd(async () => {
    await server.stop(0)
    await engine.stop()
    await pool.end()
  })
  return {
    bindings: { CLUSTERS_URL: server.url, CLUSTERS_SECRET: SECRET },
    stop: () => server.stop(0),
  }
}
