/**
 * Books under faults: a real ingestor keeps the books of a simulated exchange from a cold start,
 * through dropped, duplicated, delayed and corrupt frames, a kill -9 and refused snapshots. Then
 * check.ts checks the tables, and weighing-proxy.ts reports how the ingestor used the REST API.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '#core/node/log.ts'
import { createPool } from '#core/node/pool.ts'
import { withDeadline } from '#core/waiting.ts'
import { type Child, startChild } from '../../../infra/local/child.ts'
import { startExchange } from '../../../infra/exchange/server.ts'
import { createRandom } from '../../../infra/exchange/sim/random.ts'
import { isStatus } from '../../../ingestor/messages.ts'
import type { IngestorStatus } from '../../../ingestor/status.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { drain, STEP_LIMIT_MS } from '../limits.ts'
import { type BookVerdict, checkBooks } from './check.ts'
import { type RestAccount, startWeighingProxy } from './weighing-proxy.ts'

export interface BooksOptions {
  /** Migrated and empty. */
  readonly database_url: string
  /** Folder for the tape and the logs. */
  readonly dir: string
  readonly seed: number
  readonly symbol_count: number
  readonly events_per_s: number
  readonly fault_ms: number
  /** Share of diffs that are dropped; others are duplicated, delayed and corrupted. */
  readonly drop_share: number
  /** Interval of book renewals, as far as the weight allows. */
  readonly snapshot_s: number
  readonly onProgress?: (what: string) => void
}

export interface BooksReport extends BookVerdict {
  readonly seed: number
  readonly books: number
  /** Time from the ingestor's start until every book was in sequence. */
  readonly cold_sync_s: number
  /** The same, after the last fault and a kill -9. */
  readonly restart_sync_s: number
  /** Books lost before the kill. */
  readonly books_lost: number
  readonly rest: RestAccount
  /** Sentences; empty if every guarantee held. */
  readonly complaints: readonly string[]
}

const WEIGHT_PER_MINUTE = 2_400
const SYNC_LIMIT_MS = 400_000
const POLL_MS = 100
const SETTLED_MS = 3_000

export async function runBooks(options: BooksOptions): Promise<BooksReport> {
  const { seed, symbol_count, events_per_s, onProgress } = options
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed, symbols: symbol_count, events_per_s },
    limits: { weight_per_minute_max: WEIGHT_PER_MINUTE },
    fault_seed: seed,
  })
  const proxy = await startWeighingProxy(exchange.url)
  const ingestor = new Ingestor(options, exchange.ws_url, proxy.url)
  const frame_faults = frameFaults(options.drop_share)
  const pool = createPool(options.database_url, 'books', 2)
  const syncAll = async (): Promise<number> => {
    const wake = (): void => exchange.setFaults({ actions: [{ kind: 'roll_call' }] })
    const seconds = await ingestor.synced(symbol_count, wake)
    onProgress?.(`all ${symbol_count} books in sequence after ${seconds.toFixed(1)} s`)
    return seconds
  }
  try {
    exchange.setFaults({ faults: [REFUSALS] })
    ingestor.start()
    const cold_sync_s = await syncAll()
    exchange.setFaults({ faults: [...frame_faults, REFUSALS] })
    await sleep(options.fault_ms)
    const books_lost = ingestor.status?.books_lost ?? 0
    onProgress?.(`${books_lost} books lost by faults of frames; killing the ingestor`)
    exchange.setFaults({ faults: [REFUSALS] })
    await ingestor.kill()
    proxy.forgetPause()
    ingestor.start()
    const restart_sync_s = await syncAll()
    await sleep(SETTLED_MS)
    exchange.setFaults({ actions: [{ kind: 'halt' }] })
    const crashed = await ingestor.end()
    onProgress?.('checking')
    const job = createTopnJob({ pool, cadence: CADENCE, log: silentLogger, now: Date.now })
    await job.run(new AbortController().signal)
    const verdict = await checkBooks(pool, createRandom(seed))
    const rest = proxy.account()
    const figures = { cold_sync_s, restart_sync_s, books_lost }
    const complaints = [...complaintsOf(verdict, rest, symbol_count), ...crashed]
    return { seed, books: symbol_count, ...figures, ...verdict, rest, complaints }
  } finally {
    await ingestor.end()
    await Promise.all([proxy.stop(), exchange.stop(), pool.end()])
  }
}

function frameFaults(drop_share: number) {
  const streams = '*@depth*'
  return [
    { kind: 'drop', probability: drop_share, streams },
    { kind: 'duplicate', probability: 5 * drop_share, streams },
    { kind: 'delay', delay_ms: 250, probability: drop_share / 2, streams },
    { kind: 'corrupt', probability: drop_share / 4, streams },
    { kind: 'out_of_range', probability: drop_share / 4, streams },
  ] as const
}

/**
 * Strikes the next snapshots that the ingestor requests, whenever it has weight for them. It is set
 * anew for the cold start, the faults and the restart.
 */
const REFUSALS = {
  kind: 'http_status',
  target: 'rest',
  path: '*/depth',
  status: 429,
  retry_after_s: 2,
  count_max: 3,
} as const
const CADENCE = { min_us: 100_000, max_us: 1_000_000 }

class Ingestor {
  readonly #env: Readonly<Record<string, string>>
  readonly #log_file: string
  #child: Child | undefined
  #drained: (() => void) | undefined
  status: IngestorStatus | undefined

  constructor({ database_url, dir, snapshot_s }: BooksOptions, ws_url: string, rest_url: string) {
    this.#log_file = join(dir, 'ingestor.log')
    this.#env = {
      DATABASE_URL: database_url,
      INGESTOR_ID: 'books',
      TAPE_DIR: join(dir, 'tape'),
      CHANNELS: 'book_ticker,depth_events',
      DEPTH_SYMBOLS: 'all',
      DEPTH_SNAPSHOT_S: String(snapshot_s),
      EXCHANGE_WS_URL: ws_url,
      EXCHANGE_REST_URL: rest_url,
    }
  }

  start(): void {
    this.status = undefined
    this.#child = startChild({
      name: 'ingestor',
      entry: 'ingestor/main.ts',
      log_file: this.#log_file,
      env: this.#env,
      onMessage: (message) => {
        if (isStatus(message)) this.status = message
        if (message.type === 'drained') this.#drained?.()
      },
    })
  }

  /** Seconds until `count` books are in sequence. `wake` makes quiet symbols send frames. */
  async synced(count: number, wake: () => void): Promise<number> {
    const began_ms = performance.now()
    const late = (): Error => new Error(`The ingestor is not ready. ${this.#child?.logEnd()}`)
    await withDeadline(this.#child!.ready, STEP_LIMIT_MS, late)
    while ((this.status?.books_synced ?? 0) < count) {
      const elapsed_ms = performance.now() - began_ms
      if (elapsed_ms > SYNC_LIMIT_MS) {
        const found = this.status?.books_synced ?? 0
        throw new Error(`${found} of ${count} books are in sequence after ${elapsed_ms} ms.`)
      }
      wake()
      await sleep(POLL_MS)
    }
    return (performance.now() - began_ms) / 1_000
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) process.kill(this.#child.identity.pid, 'SIGKILL')
    await this.#child?.ended
  }

  /** Commits everything and stops. Returns complaints about the exit. */
  async end(): Promise<readonly string[]> {
    const child = this.#child
    if (child === undefined) return []
    this.#child = undefined
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve
    })
    const undrained = await drain(child, drained).then(
      () => [],
      (error: Error) => [error.message],
    )
    await child.stop()
    const reason = await child.ended
    return reason === 'exit code 0'
      ? undrained
      : [...undrained, `The ingestor stopped with ${reason}.`]
  }
}

function complaintsOf(
  verdict: BookVerdict,
  rest: RestAccount,
  symbol_count: number,
): readonly string[] {
  const { quotes_compared } = verdict
  const refused = rest.refused_snapshot_count
  // Every book needs a snapshot at the cold start and at the restart.
  const refused_min = 2 * REFUSALS.count_max
  const bad: readonly (readonly [boolean, string])[] = [
    [verdict.symbol_count !== symbol_count, `only ${verdict.symbol_count} symbols have depth`],
    [verdict.unledgered > 0, `${verdict.unledgered} breaks of a chain are not in a gap`],
    [verdict.wrong > 0, `${verdict.wrong} books differ from the exchange's next snapshot`],
    [verdict.crossed > 0, `${verdict.crossed} books are crossed`],
    [quotes_compared < symbol_count, `only ${quotes_compared} quotes could be compared`],
    [verdict.served === 0 || verdict.topn_count === 0, 'no book was served'],
    [rest.over_limit_count > 0, `${rest.over_limit_count} requests were over the weight limit`],
    [rest.used_weight_max > WEIGHT_PER_MINUTE, `weight ${rest.used_weight_max} in one minute`],
    [rest.in_pause_count > 0, `${rest.in_pause_count} requests ignored a Retry-After`],
    [refused < refused_min, `only ${refused} snapshots were refused, expected ${refused_min}`],
  ]
  return bad.flatMap(([is_bad, sentence]) => (is_bad ? [sentence] : []))
}
