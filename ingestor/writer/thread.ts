/** The main thread's side of the writer: starts it, watches it, waits for it, stops it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { OperatorError } from '#core/errors.ts'
import type { Exchange } from '#core/symbols.ts'
import type { BookCounts } from '../books/keeper.ts'
import { createFollowCounts } from './counts.ts'
import type { Commit, FollowerStatus } from './progress.ts'
import type { StreamReport } from './stream-report.ts'
import { NO_LOSSES } from './stream-table.ts'
import type { FromWorker, ToWorker, WorkerOptions } from './worker.ts'

/**
 * Every batch is garbage soon after its commit. V8 would let the space for young objects grow to
 * 134 MB and keep it, which gains nothing.
 */
const YOUNG_MB = 32
/** On stop, an unanswered commit is abandoned after this time. */
const STOP_LIMIT_MS = 5_000

export interface WriterThread {
  /** Resolves once stopped; rejects if the writer ended on its own. */
  readonly ended: Promise<void>
  /** Resolves once Postgres was reached, or the first attempt failed and is retried. */
  readonly tried: Promise<void>
  /** At most 200 ms old. */
  status(): FollowerStatus
  /** When the thread last sent its status, by performance.now(). */
  heardAt(): number
  /** At most 200 ms old. */
  books(): BookCounts
  /** What the thread has used; a thread that has ended: zeros. */
  usage(): Promise<ThreadUsage>
  /** The current state of each stream; rejects as `committed` does. */
  streams(): Promise<readonly StreamReport[]>
  /** Reports that a snapshot of the symbol's book was requested. */
  noteAsked(exchange: Exchange, symbol: string): void
  /**
   * Resolves with the status once everything before `position` is committed. Rejects if the writer
   * ends before that, or has ended.
   */
  committed(position: number): Promise<FollowerStatus>
  /** Resolves once `position` is committed, the writer has ended, or `limit_ms` has passed. */
  committedSoon(position: number, limit_ms: number): Promise<void>
  stop(): Promise<void>
}

export interface ThreadUsage {
  /** Time that its event loop was not idle, since its start. */
  readonly busy_s: number
  readonly heap_used_bytes: number
}

export interface WriterEvents {
  /** The symbol's book is out of sequence and needs a snapshot. */
  onWanted(exchange: Exchange, symbol: string): void
  onCommits?(commits: readonly Commit[]): void
}

export function startWriterThread(
  workerData: WorkerOptions,
  { onWanted, onCommits }: WriterEvents,
): WriterThread {
  const worker = new Worker(new URL('worker.ts', import.meta.url), {
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  })
  const ended = Promise.withResolvers<void>()
  const tried = Promise.withResolvers<void>()
  const waiting = new Map<number, PromiseWithResolvers<FollowerStatus>>()
  let stopping = false
  let failure: { readonly error: unknown } | undefined
  let status: FollowerStatus = {
    has_resumed: false,
    committed_position: 0,
    lag_ms: 0,
    database_away: false,
    lost_streams: NO_LOSSES,
    counts: createFollowCounts(),
  }
  let reports: PromiseWithResolvers<readonly StreamReport[]> | undefined
  let heard_ms = performance.now()
  let books: BookCounts = { books: 0, books_synced: 0, books_lost: 0 }
  const fail = (error: unknown): void => {
    failure ??= { error }
    ended.reject(error)
    tried.reject(error)
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
    reports?.reject(error)
    reports = undefined
  }
  const take = (message: FromWorker): void => {
    if (message.kind === 'failed') {
      const { code, message: text, hint } = message
      fail(new OperatorError(code, text, hint === undefined ? {} : { hint }))
      return
    }
    if (message.kind === 'snapshot_wanted') return onWanted(message.exchange, message.symbol)
    if (message.kind === 'streams') {
      reports?.resolve(message.streams)
      reports = undefined
      return
    }
    status = message.status
    heard_ms = performance.now()
    if (status.has_resumed || status.database_away) tried.resolve()
    if (message.kind === 'status') {
      books = message.books
      if (message.commits.length > 0) onCommits?.(message.commits)
      return
    }
    waiting.get(message.position)?.resolve(status)
    waiting.delete(message.position)
  }
  for (const { promise } of [ended, tried]) promise.catch(() => undefined)
  worker.on('message', take)
  worker.on('error', fail)
  worker.on('exit', () => {
    if (stopping) ended.resolve()
    fail(new OperatorError('writer_stopped', 'The writer has ended.'))
  })
  const send = (message: ToWorker): void => worker.postMessage(message, [])
  const thread: WriterThread = {
    ended: ended.promise,
    tried: tried.promise,
    status: () => status,
    heardAt: () => heard_ms,
    books: () => books,
    async usage() {
      const busy_s = worker.performance.eventLoopUtilization().active / 1_000
      const heap = await worker.getHeapStatistics().catch(() => undefined)
      return { busy_s, heap_used_bytes: heap?.used_heap_size ?? 0 }
    },
    async streams() {
      if (failure !== undefined) throw failure.error
      if (reports === undefined) {
        reports = Promise.withResolvers()
        send({ kind: 'report_streams' })
      }
      return reports.promise
    },
    noteAsked: (exchange, symbol) => send({ kind: 'snapshot_asked', exchange, symbol }),
    async committed(position) {
      if (failure !== undefined) throw failure.error
      const known = waiting.get(position)
      if (known !== undefined) return known.promise
      const wish = Promise.withResolvers<FollowerStatus>()
      waiting.set(position, wish)
      send({ kind: 'report_at', position })
      return wish.promise
    },
    async committedSoon(position, limit_ms) {
      const enough = new AbortController()
      const { signal } = enough
      await Promise.race([
        thread.committed(position).catch(() => undefined),
        sleep(limit_ms, undefined, { signal }).catch(() => undefined),
      ])
      enough.abort()
    },
    async stop() {
      stopping = true
      send({ kind: 'stop' })
      // An interrupted transaction rolls back and is replayed from the tape.
      const timer = setTimeout(() => void worker.terminate(), STOP_LIMIT_MS)
      await ended.promise.catch(() => undefined)
      clearTimeout(timer)
    },
  }
  return thread
}
