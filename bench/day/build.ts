/** The measured process: one job over a day, with its time, CPU and memory. */
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import type { Day } from '#core/time.ts'
import { runDatasets } from '../../jobs/datasets/run-datasets.ts'
import { runFeatures } from '../../jobs/datasets/run-features.ts'

export interface BuildTask {
  readonly job: 'features' | 'datasets'
  readonly date: Day
  readonly database_url: string
  readonly store_config: ObjectStoreConfig
  readonly work_dir: string
  readonly thread_count: number
  /** Symbols that also get features_100ms, and depth. Default: none. */
  readonly symbols_100ms?: readonly string[]
  readonly depth_symbols?: readonly string[]
  /** The time that the job considers as now; undefined: the real time. */
  readonly now_ms?: number
  /** Folder that keeps finished hours of the day for its next build. */
  readonly kept_dir?: string
}

export interface BuildFigures {
  readonly elapsed_s: number
  readonly cpu_s: number
  readonly rss_before_bytes: number
  readonly rss_peak_bytes: number
  readonly row_count: number
  readonly byte_count: number
}

const task = JSON.parse(process.argv[2]!) as BuildTask
const { job, date, database_url, store_config, work_dir, thread_count, now_ms, kept_dir } = task
const pool = createPool(database_url, 'bench')
const store = createObjectStore(store_config)
const now = (): number => now_ms ?? Date.now()
const options = { pool, store, date, work_dir, log: silentLogger, now }
const rss_before_bytes = process.memoryUsage.rss()
const began_ms = performance.now()
const { row_count, byte_count } =
  job === 'features'
    ? await runFeatures({
        ...options,
        thread_count,
        symbols_100ms: task.symbols_100ms ?? [],
        ...(kept_dir === undefined ? {} : { kept_dir }),
      })
    : await runDatasets({ ...options, depth_symbols: task.depth_symbols ?? [] })
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
const figures: BuildFigures = {
  elapsed_s: (performance.now() - began_ms) / 1_000,
  cpu_s: (userCPUTime + systemCPUTime) / 1e6,
  rss_before_bytes,
  // In kilobytes.
  rss_peak_bytes: maxRSS * 1_024,
  row_count,
  byte_count,
}
store.close()
await pool.end()
process.send!(figures)
process.disconnect()
