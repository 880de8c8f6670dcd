/**
 * The follower's work over one connection: read the tape from the committed position, gather,
 * prepare, commit, and repeat until it is stopped or something breaks. One batch is committed while
 * the next is gathered and encoded, so memory holds two batches at most.
 */
import { setImmediate as yieldToIo, setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '#core/errors.ts'
import type { Client } from '#core/node/pool.ts'
import { RAW_CHANNELS } from '#core/tables.ts'
import type { Micros } from '#core/time.ts'
import { withDeadline } from '#core/waiting.ts'
import type { BookKeeper } from '../books/keeper.ts'
import type { StreamChoice } from '../exchanges/adapter.ts'
import { openReader, type TapeReader } from '../tape/reader.ts'
import type { Refused } from './apart.ts'
import type { Batch, RejectedFrame } from './batch.ts'
import { BatchMemory } from './batch-memory.ts'
import { type Batcher, createBatcher } from './batcher.ts'
import { commitBatch, createCommitHistory } from './commit.ts'
import type { MutableCounts } from './counts.ts'
import type { DeadLetters, RefusedRecord } from './dead-letters.ts'
import { createPartitions } from './partitions.ts'
import { prepareBatch, type PreparedBatch } from './prepare.ts'
import type { Resume } from './resume.ts'
import { createSymbolTable, type Name, type SymbolTable } from './symbol-ids.ts'
import type { StreamTable } from './stream-table.ts'
import type { TapeEnd } from './tape-end.ts'
import { withoutSymbols } from './unnamed.ts'
import { prepareProgress } from './store-progress.ts'

/** A batch is committed as soon as it reaches one of these limits. */
export interface BatchLimits {
  readonly rows_max: number
  /** Bytes of tape. */
  readonly bytes_max: number
  /** Since its first frame arrived, in milliseconds. */
  readonly age_ms_max: number
}

export interface SessionOptions {
  readonly ingestor_id: string
  readonly tape_dir: string
  readonly tape_id: string
  readonly end: TapeEnd
  readonly choice: StreamChoice
  readonly limits: BatchLimits
  readonly dead_letters: DeadLetters
  /** Outlives the session. Records that a new session reads again do not change it. */
  readonly books?: BookKeeper | undefined
  /** Used to create the next hour's partitions ahead of time; undefined if not live. */
  readonly clock: (() => Micros) | undefined
  readonly onRejected: (frame: RejectedFrame) => void
  readonly onDamage: (damage: {
    readonly from: number
    readonly to: number
    readonly path: string
  }) => void
}

/** What a session reports while it runs. */
export interface SessionEvents {
  /** `streams` changes while the session reads. */
  onBegun(streams: StreamTable): void
  onSealed(batch: Batch): void
  /** Everything except the commit is done. Its acknowledgement may still be lost. */
  onStored(batch: Batch, counts: MutableCounts): void
  /** Postgres refused what was stored last: it is not committed. */
  onRolledBack(): void
  onCommitted(batch: Batch, counts: MutableCounts): void
}

/**
 * How much of the tape is parsed before the event loop turns: 0.3 ms, for which an answer of
 * Postgres may have to wait. Twice as many turns would cost 3 % of the writer's CPU.
 */
const CHUNK_BYTES = 64 * 1024
/**
 * How often a batch that waits for its age looks at the tape. A chunk that is whole is parsed at
 * once, so at full load neither this thread nor Postgres is idle until the batch is old enough.
 */
const LOOK_MS = 5
const IDLE_MS = 250
/** If a commit takes longer, the server is considered lost, whatever TCP reports. */
export const COMMIT_LIMIT_MS = 60_000

/** Runs until `signal` aborts. Throws what breaks it; the caller must then drop the connection. */
export async function runSession(
  client: Client,
  options: SessionOptions,
  from: Pick<Resume, 'position' | 'offsets' | 'mark_prices' | 'covered_until'>,
  events: SessionEvents,
  signal: AbortSignal,
): Promise<void> {
  const { end } = options
  const batcher = createBatcher({
    from_position: from.position,
    offsets: from.offsets,
    mark_prices: from.mark_prices,
    covered_until: from.covered_until,
    choice: options.choice,
    books: options.books,
    onRejected: options.onRejected,
  })
  events.onBegun(batcher.streams)
  const pipeline = createPipeline(client, options, events)
  await pipeline.prepare()
  const reader = openReader(options.tape_dir, from.position)
  let sealed = from.position
  try {
    while (!signal.aborted) {
      const has_more = await gather(reader, batcher, sealed, options)
      if (reader.position > sealed) {
        sealed = reader.position
        await pipeline.take(batcher.seal(sealed))
      }
      if (has_more) continue
      await fillUntilOld(reader, batcher, sealed, options, signal)
      if (end.position() > sealed || signal.aborted) continue
      await pipeline.settled()
      await pipeline.makeRoomAhead()
      await end.grownBeyond(sealed, IDLE_MS)
    }
    await pipeline.settled()
  } finally {
    reader.close()
  }
}

/** Fills the batch from the tape. Returns true if the tape may hold more than fits. */
async function gather(
  reader: TapeReader,
  batcher: Batcher,
  sealed: number,
  { end, limits, onDamage }: SessionOptions,
): Promise<boolean> {
  const until = end.position()
  while (reader.position < until) {
    const left_bytes = limits.bytes_max - (reader.position - sealed)
    if (left_bytes <= 0 || batcher.event_count >= limits.rows_max) return true
    const { damage, records } = reader.readBatch(Math.min(CHUNK_BYTES, left_bytes), until)
    if (damage !== undefined) {
      onDamage(damage)
      batcher.skip(damage.to - damage.from)
    }
    for (const record of records) batcher.add(record)
    // Let the Postgres socket run while we parse.
    await yieldToIo()
  }
  return false
}

/** Parses each chunk as it gets whole, until the batch is full or old enough, or an abort. */
async function fillUntilOld(
  reader: TapeReader,
  batcher: Batcher,
  sealed: number,
  options: SessionOptions,
  signal: AbortSignal,
): Promise<void> {
  const { end, limits } = options
  const begun_ms = performance.now()
  while (!signal.aborted) {
    const left_ms = limits.age_ms_max - (performance.now() - begun_ms)
    if (left_ms <= 0) return
    await pause(Math.min(LOOK_MS, left_ms), signal)
    if (end.position() - reader.position < CHUNK_BYTES) continue
    if (await gather(reader, batcher, sealed, options)) return
  }
}

interface Pipeline {
  /** Before the first batch. */
  prepare(): Promise<void>
  /** Creates the next hour's partitions. No commit may be running. */
  makeRoomAhead(): Promise<void>
  /** Prepares the batch, waits for the previous commit, and starts this one. */
  take(batch: Batch): Promise<void>
  /** Settles when no commit is running. Rejects with the error of the last commit. */
  settled(): Promise<void>
}

function createPipeline(client: Client, options: SessionOptions, events: SessionEvents): Pipeline {
  const symbols = createSymbolTable(client)
  const { channels } = options.choice
  const ahead = RAW_CHANNELS.filter((channel) => channels.includes(channel))
  const partitions = createPartitions(client, ahead)
  const history = createCommitHistory()
  const memory = new BatchMemory()
  const live = options.clock !== undefined
  const deps = { ...options, live, client, partitions, symbolId: symbols.idOf }
  let committing: Promise<void> = Promise.resolve()

  /** `batch` is the sealed batch, before refused symbols were taken out. */
  const commit = async (batch: Batch, prepared: PreparedBatch): Promise<void> => {
    await pipeline.makeRoomAhead()
    const counts = await withinCommitLimit(
      commitBatch(deps, prepared, history, {
        onStored: (stored) => events.onStored(batch, stored),
        onRolledBack: () => events.onRolledBack(),
      }),
    )
    events.onCommitted(batch, counts)
  }
  const pipeline: Pipeline = {
    prepare: () => withinCommitLimit(prepareProgress(deps)),
    async makeRoomAhead() {
      if (options.clock !== undefined)
        await withinCommitLimit(partitions.ensureAhead(options.clock()))
    },
    settled: () => committing,
    async take(batch) {
      events.onSealed(batch)
      let listed: readonly RefusedRecord[] = []
      let unnamed: readonly Refused<Name>[] = []
      if (needsSymbols(batch, symbols)) {
        await committing
        listed = await withinCommitLimit(symbols.takeListings(batch.listings))
        unnamed = await withinCommitLimit(symbols.register(batch.streams))
      }
      const named = withoutSymbols(batch, unnamed)
      const refused = [...listed, ...named.refused]
      const prepared = prepareBatch(named.batch, symbols.idOf, memory, refused, named.dead)
      await committing
      committing = commit(batch, prepared)
      // The error surfaces when someone awaits the promise.
      committing.catch(() => undefined)
    },
  }
  return pipeline
}

function needsSymbols(batch: Batch, symbols: SymbolTable): boolean {
  return batch.listings.length > 0 || batch.streams.some((stream) => !symbols.has(stream))
}

/** Rejects after COMMIT_LIMIT_MS. The caller must then drop the connection. */
export function withinCommitLimit<T>(promise: Promise<T>): Promise<T> {
  return withDeadline(promise, COMMIT_LIMIT_MS, () => {
    const message = `Postgres did not answer within ${COMMIT_LIMIT_MS} ms.`
    return new OperatorError('database_silent', message, { retryable: true })
  })
}

/** Sleeps. An abort ends the sleep early without an error. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
