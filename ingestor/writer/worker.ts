/** The writer's thread: a follower of the tape. thread.ts is the main thread's side. */
import { parentPort, workerData } from 'node:worker_threads'
import { OperatorError } from '#core/errors.ts'
import { createLogger } from '#core/node/log.ts'
import type { Exchange } from '#core/symbols.ts'
import { type BookCounts, createBookKeeper } from '../books/keeper.ts'
import { createClock } from '../transport/clock.ts'
import { type FollowerOptions, startFollower } from './follower.ts'
import type { Commit, FollowerStatus } from './progress.ts'
import type { StreamReport } from './stream-report.ts'
import { sharedTapeEnd } from './tape-end.ts'

export interface WorkerOptions extends Pick<
  FollowerOptions,
  'database_url' | 'ingestor_id' | 'tape_dir' | 'choice' | 'limits' | 'dead_letter_path'
> {
  readonly tape_end: SharedArrayBuffer
  readonly log_level: string
}

export type ToWorker =
  /** Asks for a message once everything before the position is committed. */
  | { readonly kind: 'report_at'; readonly position: number }
  /** A snapshot of the symbol's book was requested. */
  | { readonly kind: 'snapshot_asked'; readonly exchange: Exchange; readonly symbol: string }
  /** Asks for the state of each stream. */
  | { readonly kind: 'report_streams' }
  | { readonly kind: 'stop' }

export type FromWorker =
  | {
      readonly kind: 'status'
      readonly status: FollowerStatus
      readonly books: BookCounts
      /** Commits since the last status message. */
      readonly commits: readonly Commit[]
    }
  | { readonly kind: 'streams'; readonly streams: readonly StreamReport[] }
  /** The symbol's book is out of sequence and needs a snapshot. */
  | { readonly kind: 'snapshot_wanted'; readonly exchange: Exchange; readonly symbol: string }
  | { readonly kind: 'reached'; readonly position: number; readonly status: FollowerStatus }
  | {
      readonly kind: 'failed'
      readonly code: string
      readonly message: string
      readonly hint: string | undefined
    }

const STATUS_MS = 200

if (parentPort !== null) run(parentPort, workerData as WorkerOptions)

function run(port: NonNullable<typeof parentPort>, options: WorkerOptions): void {
  const post = (message: FromWorker): void => port.postMessage(message)
  const clock = createClock()
  const books = createBookKeeper((exchange, symbol) =>
    post({ kind: 'snapshot_wanted', exchange, symbol }),
  )
  const follower = startFollower({
    ...options,
    end: sharedTapeEnd(options.tape_end),
    live: true,
    books,
    clock: () => clock.now(),
    random: Math.random,
    log: createLogger('ingestor', options.log_level),
  })
  const postStatus = (): void => {
    const commits = follower.takeCommits()
    post({ kind: 'status', status: follower.status(), books: books.counts(), commits })
  }
  const ticker = setInterval(postStatus, STATUS_MS)
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'stop') {
      void follower.stop().catch(() => undefined)
      return
    }
    if (message.kind === 'snapshot_asked') return books.noteAsked(message.exchange, message.symbol)
    if (message.kind === 'report_streams')
      return post({ kind: 'streams', streams: follower.streams() })
    const { position } = message
    follower.committed(position).then(
      () => post({ kind: 'reached', position, status: follower.status() }),
      // The end of the follower is reported once, below.
      () => undefined,
    )
  })
  follower.ended
    .catch((error: unknown) => post({ kind: 'failed', ...wordsOf(error) }))
    .finally(() => {
      clearInterval(ticker)
      postStatus()
      port.close()
    })
}

function wordsOf(error: unknown): { code: string; message: string; hint: string | undefined } {
  if (error instanceof OperatorError) {
    return { code: error.code, message: error.message, hint: error.hint }
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'writer_failed', message, hint: undefined }
}
