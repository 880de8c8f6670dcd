/** (d) The design load of the ingestor: its cost, and the latency of rows. */
import { get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '#core/node/pool.ts'
import type { Postgres } from '../../infra/local/postgres.ts'
import { cpuSeconds, machineCpuSeconds, residentBytes, treeCpuSeconds } from './machine.ts'
import { startRecording, type Step } from './recording.ts'
import { slopePerMinute } from './slope.ts'

export interface LoadOptions {
  readonly tape_dir: string
  readonly node_args: readonly string[]
  readonly steps: readonly Step[]
  /** How often the metrics of the ingestor are scraped; undefined: never. */
  readonly scrape_ms?: number | undefined
}

export interface Latency {
  readonly rows: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly max_ms: number
}

export interface Load {
  readonly rows: number
  readonly seconds: number
  readonly sender_behind_ms_max: number
  /** In cores: 1 is one full core. */
  readonly ingestor_cpu_share: number
  readonly postgres_cpu_share: number
  readonly others_cpu_share: number
  readonly rss_max_mb: number
  /** Slope of a line through the samples of the last step. */
  readonly rss_mb_per_minute: number
  readonly scrape_count: number
  readonly tape_mb: number
  readonly tape_bytes_per_row: number
  /** From receipt to commit, over all rows. */
  readonly latency: Latency
  /** The same for the rows received in each step. */
  readonly latency_by_step: readonly Latency[]
}

const SAMPLE_MS = 500
const MB = 1_000_000

export async function measureLoad(
  pool: Pool,
  postgres: Postgres,
  options: LoadOptions,
): Promise<Load> {
  const { steps } = options
  const recording = await startRecording({
    ...options,
    database_url: postgres.url,
    ingestor_id: 'load',
  })
  const { ingestor_pid, sender_pid } = recording
  const scrapes = startScraping(options)
  const cpu = () => {
    const ours = { ingestor: cpuSeconds(ingestor_pid), postgres: treeCpuSeconds(postgres.pid) }
    const others = machineCpuSeconds() - ours.ingestor - ours.postgres - cpuSeconds(sender_pid)
    return { ...ours, others }
  }
  try {
    const rss = new ResidentMemory(ingestor_pid)
    const before = cpu()
    const begun_us = Date.now() * 1_000
    const started = performance.now()
    const sent = await recording.pace(steps)
    const counts = await recording.committed(sent.sent_count)
    const seconds = (performance.now() - started) / 1_000
    const after = cpu()
    rss.stop()
    const share = (name: keyof typeof after): number =>
      decimals((after[name] - before[name]) / seconds, 2)
    const tape_bytes = recording.status()?.tape_end ?? 0
    return {
      rows: sent.sent_count,
      seconds: decimals(seconds, 1),
      sender_behind_ms_max: sent.behind_ms_max,
      ingestor_cpu_share: share('ingestor'),
      postgres_cpu_share: share('postgres'),
      others_cpu_share: share('others'),
      rss_max_mb: decimals(rss.max_bytes / MB, 0),
      rss_mb_per_minute: decimals(rss.slopeOfLast(steps.at(-1)!.seconds) / MB, 1),
      scrape_count: scrapes.count(),
      tape_mb: decimals(tape_bytes / MB, 1),
      tape_bytes_per_row: Math.round(tape_bytes / counts.frames),
      latency: await latency(pool, 0, Number.MAX_SAFE_INTEGER),
      latency_by_step: await latencyBySteps(pool, begun_us, steps),
    }
  } finally {
    scrapes.stop()
    await recording.stop()
  }
}

/** Reads the metrics as Prometheus does, and counts the whole answers. */
function startScraping({ tape_dir, scrape_ms }: LoadOptions): { count(): number; stop(): void } {
  let count = 0
  const scrape = (): void => {
    const socketPath = join(tape_dir, 'control.sock')
    get({ socketPath, path: '/metrics' }, (answer) => {
      answer.resume().once('end', () => {
        if (answer.statusCode === 200) count++
      })
    }).on('error', () => undefined)
  }
  const timer = scrape_ms === undefined ? undefined : setInterval(scrape, scrape_ms)
  return { count: () => count, stop: () => clearInterval(timer) }
}

async function latencyBySteps(
  pool: Pool,
  begun_us: number,
  steps: readonly Step[],
): Promise<readonly Latency[]> {
  const found: Latency[] = []
  let from_us = begun_us
  for (const { seconds } of steps) {
    const to_us = from_us + seconds * 1e6
    found.push(await latency(pool, from_us, to_us))
    from_us = to_us
  }
  return found
}

/** Postgres stores each transaction's commit time, and each row's transaction. */
export async function latency(pool: Pool, from_us: number, to_us: number): Promise<Latency> {
  const { rows } = await pool.query<Latency>(
    `select rows, p[1] as p50_ms, p[2] as p99_ms, p[3] as max_ms from (
      select count(*)::int as rows, percentile_disc(array[0.5, 0.99, 1]) within group (order by ms) as p from (
        select round(extract(epoch from pg_xact_commit_timestamp(xmin) - ts_ingest) * 1000, 1)::float8 as ms
        from (
          select xmin, ts_ingest from marketdata.book_ticker
          union all
          select xmin, ts_ingest from marketdata.trades) as stored
        where extract(epoch from ts_ingest) * 1000000 >= $1 and extract(epoch from ts_ingest) * 1000000 < $2
      ) as waits) as summary`,
    [from_us, to_us],
  )
  return rows[0]!
}

class ResidentMemory {
  readonly #samples: { readonly at_s: number; readonly bytes: number }[] = []
  readonly #stopping = new AbortController()

  constructor(pid: number) {
    void this.#run(pid)
  }

  get max_bytes(): number {
    return this.#samples.reduce((max, { bytes }) => Math.max(max, bytes), 0)
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Bytes per minute, by least squares over the last `seconds`. */
  slopeOfLast(seconds: number): number {
    const end_s = this.#samples.at(-1)?.at_s ?? 0
    const last = this.#samples.filter(({ at_s }) => at_s >= end_s - seconds)
    return slopePerMinute(last)
  }

  async #run(pid: number): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#samples.push({ at_s: performance.now() / 1_000, bytes: residentBytes(pid) })
      await sleep(SAMPLE_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

function decimals(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
