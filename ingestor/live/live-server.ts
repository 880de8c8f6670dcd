/**
 * The live server: follows the tapes, keeps the newest messages in memory, and serves them. It
 * opens its port only after it has read every tape to its end, so it knows the cursor of every
 * message that was ever sent.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import { openMetricsDoor } from '#core/node/door/metrics-door.ts'
import type { Logger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool, type Pool, withClient } from '#core/node/pool.ts'
import { fromMillis, type Micros } from '#core/time.ts'
import { backoffMs } from '#core/waiting.ts'
import { createAdmission } from './access.ts'
import { readCommittedState } from './committed-state.ts'
import { ClusterViews } from './clusters/cluster-views.ts'
import { createEngineReader } from './clusters/engine.ts'
import type { FollowedTape, LiveConfig } from './config.ts'
import { createCounts } from './counts.ts'
import { type Epoch, readEpoch } from './epoch.ts'
import { History } from './history/history.ts'
import { readTapeRecords } from './history/tape-records.ts'
import { Hub } from './hub.ts'
import { HOLD_US, Intake } from './intake.ts'
import { createLiveMetrics } from './metrics.ts'
import { noteMissingTrades } from './missing-trades.ts'
import { Resumer } from './resume.ts'
import { openLiveDoor } from './server.ts'
import { followSignals } from './signals/signal-feed.ts'
import { readSignalSpan } from './signals/stored-signals.ts'
import { Streams } from './streams.ts'
import { SymbolList } from './symbol-list.ts'
import { behindUs, TapeFeed } from './tape-feed.ts'

export interface LiveServer {
  readonly url: string
  readonly metrics_url: string | undefined
  /** Rejects when the server cannot continue. */
  readonly failed: Promise<never>
  stop(): Promise<void>
}

/** Connections to Postgres. Only starting and resuming need them. */
const POOL_MAX = 2
const TICK_MS = 5
const READ_BYTES = 256 * 1024
/** Reads of one tape before the new messages are passed on. */
const READS_PER_TICK = 8
const SYMBOLS_EVERY_MS = 5_000
const BACKOFF = { backoff_base_ms: 100, backoff_cap_ms: 3_000 }
/** The server is behind if its newest message was received longer ago than this. */
const BEHIND_US = 10_000_000

/** `signal` ends the start. */
export async function startLiveServer(
  config: LiveConfig,
  log: Logger,
  signal: AbortSignal,
): Promise<LiveServer> {
  const pool = createPool(config.database_url, 'booktape-live', POOL_MAX)
  const store = config.store === undefined ? undefined : createObjectStore(config.store)
  const now = (): Micros => fromMillis(Date.now())
  const counts = createCounts()
  const symbols = new SymbolList(pool)
  const streams = new Streams({
    memory_bytes_max: config.memory_bytes_max,
    tape_records_max: config.tape_records_max,
    decimalsOf: (exchange, symbol) => symbols.decimals(exchange, symbol),
  })
  const { failed, fail } = failure()
  const readSymbols = async (): Promise<void> => {
    await symbols.read()
    streams.renewDecimals()
  }
  const { epoch, newest_signal } = await untilReachable(pool, log, signal, readSymbols)
  const intake = new Intake(streams, epoch.id, config.tapes.length)
  const feeds: TapeFeed[] = []
  for (const tape of config.tapes) {
    feeds.push(
      await openFeed(
        tape,
        feeds.length,
        { config, pool, intake, symbols, streams, now, log },
        signal,
      ),
    )
  }
  await warmUp(feeds, intake, streams, now, signal)
  streams.settle({
    rows: Math.max(...feeds.map(({ floor }) => floor)),
    gaps: Math.max(...feeds.map(({ gap_floor }) => gap_floor)),
    signals: newest_signal,
  })
  streams.passOn()
  const history = new History({
    pool,
    store,
    ingestor_ids: config.tapes.map(({ ingestor_id }) => ingestor_id),
    concurrency: POOL_MAX,
  })
  const readBars = config.clusters && createEngineReader(config.clusters)
  const tape_records = { dirs: config.tapes.map(({ dir }) => dir), choice: config.choice }
  const resumer = new Resumer({
    epoch: epoch.id,
    epoch_began_at: epoch.began_at,
    history,
    readTape: (stream, dropped) => readTapeRecords(tape_records, stream, dropped),
    resume_us_max: config.limits.resume_us_max,
    counts,
    now,
    bookOf: (stream) => intake.book(stream),
    readBars,
  })
  const clusters = new ClusterViews({
    epoch: epoch.id,
    readBars,
    views_max: config.limits.cluster_views_max,
    newestTrade: (exchange, symbol) => streams.of({ channel: 'trades', exchange, symbol }).last,
    now,
    noteFailure: () => void counts.cluster_failures++,
  })
  const hub = new Hub({ epoch: epoch.id, config, streams, clusters, symbols, resumer, counts })
  const sources = { hub, streams, feeds, clusters, counts, history, now }
  const { metrics, noteDelay } = createLiveMetrics(sources)
  const metrics_door = config.metrics && (await openMetricsDoor(config.metrics, metrics, log))
  const following = follow(feeds, intake, streams, now, noteDelay)
  following.ended.catch(fail)
  const signals = followSignals({ pool, streams, epoch: epoch.id, from: newest_signal, log })
  const refresher = setInterval(() => void readSymbols().catch(() => undefined), SYMBOLS_EVERY_MS)
  const door = await openLiveDoor({
    host: config.host,
    port: config.port,
    hub,
    admit: createAdmission(config, now),
    counts,
    log,
    health() {
      const behind_us = behindUs(feeds, now())
      const facts = { clients: hub.sessions.size, behind_ms: Math.round(behind_us / 1_000) }
      return { is_ok: behind_us < BEHIND_US, facts }
    },
  })
  return {
    url: door.url,
    metrics_url: metrics_door?.endpoint,
    failed,
    stop: once(async () => {
      await hub.drain(config.drain_ms)
      await door.close()
      clearInterval(refresher)
      clusters.stop()
      await signals.stop()
      await following.stop()
      for (const feed of feeds) feed.close()
      await metrics_door?.close()
      store?.close()
      await pool.end()
    }),
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => (running ??= run())
}

function failure(): { readonly failed: Promise<never>; fail(error: unknown): void } {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => undefined)
  return { failed: promise, fail: reject }
}

interface Numbering {
  readonly epoch: Epoch
  /** Seq of the newest signal in the table. */
  readonly newest_signal: number
}

/** Waits for Postgres and its schema. */
async function untilReachable(
  pool: Pool,
  log: Logger,
  signal: AbortSignal,
  readSymbols: () => Promise<void>,
): Promise<Numbering> {
  for (let failures = 0; ; failures++) {
    try {
      await readSymbols()
      return await withClient(pool, async (client) => ({
        epoch: await readEpoch(client),
        newest_signal: (await readSignalSpan(client)).newest,
      }))
    } catch (error) {
      if (error instanceof OperatorError && !error.retryable) throw error
      if (failures === 0) {
        const facts = { code: 'database_away', error: describeError(error) }
        log.warn(facts, 'Postgres cannot be read. The live server waits for it.')
      }
      await sleep(backoffMs(failures, BACKOFF, Math.random), undefined, { signal })
    }
  }
}

interface FeedDeps {
  readonly config: LiveConfig
  readonly pool: Pool
  readonly intake: Intake
  readonly symbols: SymbolList
  readonly streams: Streams
  readonly now: () => Micros
  readonly log: Logger
}

/** Waits for the tape. Its ingestor creates it at its first start. */
async function openFeed(
  { ingestor_id, dir }: FollowedTape,
  index: number,
  { config, pool, intake, symbols, streams, now, log }: FeedDeps,
  signal: AbortSignal,
): Promise<TapeFeed> {
  for (let failures = 0; ; failures++) {
    try {
      const committed = await readCommittedState(pool, ingestor_id)
      const feed = new TapeFeed({
        dir,
        committed,
        choice: config.choice,
        warm_us: config.warm_us,
        now,
        log,
        take: (received) => intake.take(index, received),
        takeListing(instruments) {
          symbols.takeListing(instruments)
          streams.renewDecimals()
        },
      })
      for (const { exchange, symbol, channel, last_id } of committed.offsets) {
        if (channel === 'trades' && last_id !== null) intake.missing(exchange, symbol).take(last_id)
      }
      await noteMissingTrades(pool, intake, feed.first_stamp)
      return feed
    } catch (error) {
      const is_missing = error instanceof OperatorError && error.code === 'tape_missing'
      if (error instanceof OperatorError && !is_missing && !error.retryable) throw error
      if (failures === 0) {
        const facts = { code: 'tape_away', ingestor_id, dir, error: describeError(error) }
        log.warn(facts, 'The tape cannot be followed yet. The live server waits for it.')
      }
      await sleep(backoffMs(failures, BACKOFF, Math.random), undefined, { signal })
    }
  }
}

/** Reads every tape to its end, the one that is furthest behind first. */
async function warmUp(
  feeds: readonly TapeFeed[],
  intake: Intake,
  streams: Streams,
  now: () => Micros,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const behind = feeds
      .filter((feed) => !feed.is_caught_up)
      .toSorted((a, b) => a.newest_stamp - b.newest_stamp)
    const [last] = behind
    if (last === undefined) break
    last.read(READ_BYTES)
    intake.release(releasedUntil(feeds, now))
    // Nobody listens yet; what is kept is in the memory of frames.
    streams.passOn()
    await nextTurn()
    signal.throwIfAborted()
  }
  intake.release(Infinity)
  intake.holds_all = false
}

/** Everything that any tape received up to this time has been read. */
function releasedUntil(feeds: readonly TapeFeed[], now: () => Micros): number {
  const until = feeds.map((feed) =>
    feed.is_caught_up ? now() - HOLD_US : Math.min(feed.newest_stamp - 1, now() - HOLD_US),
  )
  return Math.min(...until)
}

function follow(
  feeds: readonly TapeFeed[],
  intake: Intake,
  streams: Streams,
  now: () => Micros,
  noteDelay: (delay_s: number) => void,
): { readonly ended: Promise<void>; stop(): Promise<void> } {
  const stopping = new AbortController()
  const run = async (): Promise<void> => {
    for (let tick = 0; !stopping.signal.aborted; tick++) {
      let has_more = false
      for (const feed of feeds) {
        for (let reads = 0; reads < READS_PER_TICK && feed.read(READ_BYTES); reads++);
        if (!feed.is_caught_up) has_more = true
        if (tick % 400 === 0) feed.check()
      }
      intake.release(releasedUntil(feeds, now))
      streams.passOn()
      for (const feed of feeds) {
        const oldest = feed.takeOldestStamp()
        if (oldest !== undefined) noteDelay(Math.max(0, now() - oldest) / 1_000_000)
      }
      if (has_more) await nextTurn()
      else await sleep(TICK_MS)
    }
  }
  const ended = run()
  return {
    ended,
    async stop() {
      stopping.abort()
      await ended.catch(() => undefined)
    },
  }
}
