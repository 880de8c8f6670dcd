/**
 * Follows a tape into Postgres through every outage: one session (session.ts) after another, with
 * back-off and jitter between them. While Postgres is away nothing is read, so memory stays
 * constant and the tape grows. Runs in any thread; worker.ts gives it a separate one.
 */
import { describeError, OperatorError } from '#core/errors.ts'
import { createPool, type Client } from '#core/node/pool.ts'
import type { Logger } from '#core/node/log.ts'
import { requireSession } from '#core/node/session-check.ts'
import type { Micros } from '#core/time.ts'
import { backoffMs } from '#core/waiting.ts'
import type { BookKeeper } from '../books/keeper.ts'
import type { StreamChoice } from '../exchanges/adapter.ts'
import { openReader } from '../tape/reader.ts'
import { describeTrouble, troubleOf } from './database-errors.ts'
import { openDeadLetters } from './dead-letters.ts'
import { type Commit, type FollowerStatus, Progress } from './progress.ts'
import { createRejectLog } from './reject-log.ts'
import { requireSchema, resume, type Resume } from './resume.ts'
import {
  type BatchLimits,
  pause,
  runSession,
  type SessionOptions,
  withinCommitLimit,
} from './session.ts'
import { reportStreams, type StreamReport } from './stream-report.ts'
import type { TapeEnd } from './tape-end.ts'

export interface FollowerOptions {
  readonly database_url: string
  /** Key of the position in marketdata.tape_positions. At most one running follower per id. */
  readonly ingestor_id: string
  readonly tape_dir: string
  readonly end: TapeEnd
  readonly choice: StreamChoice
  readonly limits: BatchLimits
  /** NDJSON file for rows that Postgres refuses. */
  readonly dead_letter_path: string
  /** Updated while following; undefined if snapshots cannot be requested. */
  readonly books?: BookKeeper | undefined
  /** True: the next hour's partitions are created ahead of time. */
  readonly live: boolean
  readonly clock: () => Micros
  readonly random: () => number
  readonly log: Logger
}

export interface Follower {
  /** Resolves once stopped; rejects with an error that no retry can fix. */
  readonly ended: Promise<void>
  status(): FollowerStatus
  /** Commits since the last call. */
  takeCommits(): readonly Commit[]
  streams(): readonly StreamReport[]
  /** Resolves once everything before `position` is committed; rejects if it ends earlier. */
  committed(position: number): Promise<void>
  /** Stops once the running commits have finished. */
  stop(): Promise<void>
}

/** After this many failures in a row, log an error: someone has to look. */
const FAILURES_TO_REPORT = 10
const BACKOFF = { backoff_base_ms: 100, backoff_cap_ms: 10_000 }

export function startFollower(options: FollowerOptions): Follower {
  const stopping = new AbortController()
  const progress = new Progress(options.clock)
  const ended = followUntilStopped(options, progress, stopping.signal).finally(() => {
    progress.end()
  })
  ended.catch(() => undefined)
  return {
    ended,
    status: () => progress.status(),
    takeCommits: () => progress.takeCommits(),
    streams: () =>
      progress.streams === undefined ? [] : reportStreams(progress.streams, options.books),
    committed: (position) => progress.committed(position, ended),
    async stop() {
      stopping.abort()
      await ended
    },
  }
}

async function followUntilStopped(
  options: FollowerOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { log } = options
  const pool = createPool(options.database_url, `booktape-ingestor-${options.ingestor_id}`, 1)
  let failures = 0
  try {
    while (!signal.aborted) {
      try {
        if (!progress.has_resumed) await withinCommitLimit(requireSession(pool))
        await followOnce(() => pool.connect(), options, progress, signal)
        return
      } catch (error) {
        if (isFatal(error, progress.has_resumed)) throw explain(error)
        failures = progress.advanced ? 1 : failures + 1
        const delay_ms = Math.round(backoffMs(failures, BACKOFF, options.random))
        const facts = { code: 'writer_interrupted', ...describeTrouble(error), delay_ms }
        if (failures === 1)
          log.warn(facts, 'Writing rows failed; the tape keeps recording. Retrying.')
        else if (failures === FAILURES_TO_REPORT) log.error(facts, 'Writing rows still fails.')
        progress.lose()
        await pause(delay_ms, signal)
      }
    }
  } finally {
    await pool.end()
  }
}

/** One session from connecting to its end. The connection is never used again. */
async function followOnce(
  connect: () => Promise<Client>,
  options: FollowerOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { log } = options
  const tape = readExtent(options)
  const client = await connect()
  try {
    const from = await withinCommitLimit(prepareResume(client, options, tape, progress.has_resumed))
    progress.resume(from)
    if (from.replaced_tape_id !== undefined) {
      log.warn(
        { code: 'tape_replaced', tape_id: tape.tape_id, old_tape_id: from.replaced_tape_id },
        'The database had another tape for this ingestor; reading this one from its beginning.',
      )
    }
    log.info({ position: from.position, tape_end: options.end.position() }, 'Following the tape.')
    await runSession(client, sessionOptions(options, tape.tape_id), from, progress, signal)
  } finally {
    client.release(true)
  }
}

async function prepareResume(
  client: Client,
  options: FollowerOptions,
  tape: { readonly tape_id: string; readonly oldest: number },
  is_ours: boolean,
): Promise<Resume> {
  await requireSchema(client)
  return resume(client, options.ingestor_id, { ...tape, end: options.end.position() }, is_ours)
}

function readExtent({ tape_dir }: FollowerOptions): {
  readonly tape_id: string
  readonly oldest: number
} {
  const reader = openReader(tape_dir, 'oldest')
  const { tape_id, position: oldest } = reader
  reader.close()
  return { tape_id, oldest }
}

function sessionOptions(options: FollowerOptions, tape_id: string): SessionOptions {
  const { log } = options
  return {
    ...options,
    tape_id,
    clock: options.live ? options.clock : undefined,
    dead_letters: openDeadLetters(options.dead_letter_path, log),
    onRejected: createRejectLog(log),
    onDamage: ({ from, to, path }) =>
      log.error({ code: 'tape_damaged', from, to, path }, 'Part of the tape cannot be read.'),
  }
}

/**
 * Recording survives every database outage. Only three things end it: an error at the start, an
 * error that an operator must fix, and a bug of ours.
 */
function isFatal(error: unknown, has_resumed: boolean): boolean {
  if (error instanceof OperatorError) {
    return !error.retryable && !(has_resumed && error.code === 'schema_old')
  }
  if (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError
  ) {
    return true
  }
  if (has_resumed) return false
  const { sqlstate } = describeTrouble(error)
  return troubleOf(error) === 'schema' || sqlstate.startsWith('28') || sqlstate === '3D000'
}

function explain(error: unknown): unknown {
  const { sqlstate } = describeTrouble(error)
  if (sqlstate === '') return error
  return new OperatorError(
    'database_unusable',
    `Postgres refuses the connection or a query: ${describeError(error)}.`,
    {
      hint: 'Check DATABASE_URL (user, password, database). The database owner must apply the migrations.',
      cause: error,
    },
  )
}
