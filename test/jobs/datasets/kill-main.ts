/** A process to be killed: the archive, the features and the datasets of a day, one after another. */
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import type { Day } from '#core/time.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { runFeatures } from '../../../jobs/features/run-features.ts'

export interface KillTask {
  readonly database_url: string
  readonly store_config: ObjectStoreConfig
  readonly work_dir: string
  readonly date: Day
  readonly now_ms: number
}

const { database_url, store_config, work_dir, date, now_ms } = JSON.parse(process.argv[2]!) as KillTask
const pool = createPool(database_url, 'killed', 6)
const store = createObjectStore(store_config)
const common = { pool, store, work_dir, log: silentLogger, now: () => now_ms }
process.send?.('begun')
await runArchive({ ...common, codec: 'zstd' })
process.send?.('archived')
await runFeatures({ ...common, date, thread_count: 2, symbols_100ms: ['BTCUSDT'] })
process.send?.('features')
await runDatasets({ ...common, date })
store.close()
await pool.end()
