/** A process to kill: archives a day and builds its features and datasets, one after another. */
import { silentLogger } from '#core/node/log.ts'
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import type { Day } from '#core/time.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { runFeatures } from '../../../jobs/datasets/run-features.ts'

export interface KillTask {
  readonly database_url: string
  readonly store_config: ObjectStoreConfig
  readonly work_dir: string
  readonly date: Day
  readonly now_ms: number
  /** The write to the store at which to die, half of the time in the middle of it; -1: never. */
  readonly write_index: number
}

const { database_url, store_config, work_dir, date, now_ms, write_index } = JSON.parse(
  process.argv[2]!,
) as KillTask
const pool = createPool(database_url, 'killed', 6)
const real = createObjectStore(store_config)
let write_count = 0
const counted = async (write: () => Promise<void>): Promise<void> => {
  const is_last = write_count === write_index
  write_count += 1
  const written = write_count % 2 === 0 || !is_last ? write() : undefined
  if (is_last) process.kill(process.pid, 'SIGKILL')
  await written
}
const store: ObjectStore = {
  ...real,
  put: (...args) => counted(() => real.put(...args)),
  putFile: (...args) => counted(() => real.putFile(...args)),
  delete: (...args) => counted(() => real.delete(...args)),
}
const common = { pool, store, work_dir, log: silentLogger, now: () => now_ms }
await runArchive({ ...common, codec: 'zstd' })
await runFeatures({ ...common, date, thread_count: 2, symbols_100ms: ['BTCUSDT'] })
await runDatasets({ ...common, date })
process.send?.(write_count)
store.close()
await pool.end()
