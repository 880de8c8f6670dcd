/** One run of the archive in its own process, to measure its time, CPU and memory alone. */
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import type { Micros } from '#core/time.ts'
import type { RawChannel } from '#core/tables.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import type { Codec } from '../../jobs/parquet/codecs.ts'

export interface ArchiveJob {
  readonly database_url: string
  readonly store: ObjectStoreConfig
  readonly work_dir: string
  readonly codec: Codec
  readonly table_name: RawChannel
  readonly hour: Micros
}

export interface ArchiveFigures {
  readonly elapsed_s: number
  readonly cpu_s: number
  readonly rss_peak_mb: number
  readonly byte_count: number
}

process.once('message', (job: ArchiveJob) => {
  void run(job).then((figures) => {
    process.send?.(figures, () => process.exit(0))
  })
})

async function run({ database_url, codec, work_dir, ...job }: ArchiveJob): Promise<ArchiveFigures> {
  const pool = createPool(database_url, 'bench')
  const store = createObjectStore(job.store)
  const cpu_before = process.cpuUsage()
  const started = performance.now()
  const hours = [{ table_name: job.table_name, hour: job.hour }]
  const { byte_count } = await runArchive({
    pool,
    store,
    codec,
    hours,
    work_dir,
    log: silentLogger,
    now: Date.now,
  })
  const { user, system } = process.cpuUsage(cpu_before)
  return {
    elapsed_s: (performance.now() - started) / 1_000,
    cpu_s: (user + system) / 1e6,
    rss_peak_mb: process.resourceUsage().maxRSS / 1e3,
    byte_count,
  }
}
