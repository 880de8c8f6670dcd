/** A job's surroundings in a test: its own database, object store and folder. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance, type JS } from '@duckdb/node-api'
import { silentLogger } from '#core/node/log.ts'
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { parseDay } from '#core/time.ts'
import {
  runFeatures,
  type FeaturesOptions,
  type FeaturesResult,
} from '../../jobs/datasets/run-features.ts'
import { takeBucket } from '../support/bucket.ts'
import { createTestDatabase } from '../support/database.ts'
import { atFileEnd } from '../support/file-end.ts'

export interface Stand {
  readonly pool: Pool
  readonly database_url: string
  readonly store: ObjectStore
  readonly store_config: ObjectStoreConfig
  readonly dir: string
  /** Runs the job as if it were noon of 2024-08-20. */
  features(date: string, options?: Partial<FeaturesOptions>): Promise<FeaturesResult>
}

export const NOON = Date.parse('2024-08-20T12:00:00Z')

export async function createStand(): Promise<Stand> {
  const { pool, url } = await createTestDatabase()
  const dir = await mkdtemp(join(tmpdir(), 'booktape-jobs-'))
  const store_config = takeBucket()
  const store = createObjectStore(store_config)
  atFileEnd(async () => {
    store.close()
    await rm(dir, { recursive: true })
  })
  return {
    pool,
    database_url: url,
    store,
    store_config,
    dir,
    features: (date, options) =>
      runFeatures({
        pool,
        store,
        date: parseDay(date)!,
        work_dir: join(dir, 'work'),
        log: silentLogger,
        now: () => NOON,
        thread_count: 0,
        symbols_100ms: [],
        ...options,
      }),
  }
}

/** Reads a Parquet file of the store with a program other than its writer. */
export async function readWithDuckDb(
  stand: Pick<Stand, 'store' | 'dir'>,
  key: string,
  sql: (file: string) => string,
): Promise<Record<string, JS>[]> {
  const bytes = await stand.store.get(key)
  const file = join(stand.dir, key.replaceAll('/', '_'))
  await writeFile(file, bytes!)
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const reader = await connection.runAndReadAll(sql(`read_parquet('${file}')`))
    return reader.getRowObjectsJS()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
