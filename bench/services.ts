/** A Postgres with our schema and an object store, both empty, for as long as a benchmark runs. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '#core/node/migrate.ts'
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { startObjectStore } from '../infra/local/object-store.ts'
import { freePort } from '../infra/local/ports.ts'
import { startPostgres } from '../infra/local/postgres.ts'

export interface Services {
  /** For files of the benchmark; deleted at the end. */
  readonly dir: string
  readonly database_url: string
  readonly pool: Pool
  readonly store: ObjectStore
  readonly store_config: ObjectStoreConfig
}

/** `settings`: of Postgres, besides fsync = off. */
export async function withServices(
  use: (services: Services) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-bench-'))
  // Postgres may run as another user.
  chmodSync(dir, 0o755)
  const postgres = await startPostgres({
    dir: join(dir, 'postgres'),
    port: await freePort(),
    password: 'bench',
    settings: { fsync: 'off', ...settings },
  })
  const server = await startObjectStore({
    dir: join(dir, 'store'),
    port: 0,
    access_key_id: 'k',
    secret_access_key: 's',
  })
  const store = createObjectStore(server.config)
  const pool = createPool(postgres.url, 'bench')
  try {
    await migrate(pool)
    await use({ dir, database_url: postgres.url, pool, store, store_config: server.config })
  } finally {
    await pool.end()
    store.close()
    await server.stop()
    await postgres.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}
