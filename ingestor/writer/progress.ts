/**
 * What a follower has committed, what is pending, and who waits for it. Counts survive a lost
 * acknowledgement: the next session's position shows whether the commit arrived.
 */
import { OperatorError } from '#core/errors.ts'
import { type Micros, SECOND_US } from '#core/time.ts'
import type { Batch } from './batch.ts'
import {
  addCounts,
  createFollowCounts,
  type FollowCounts,
  type MutableCounts,
  sumOf,
} from './counts.ts'
import type { Resume } from './resume.ts'
import type { SessionEvents } from './session.ts'
import { NO_LOSSES, type LossReport, type StreamTable } from './stream-table.ts'

export interface FollowerStatus {
  /** True once Postgres was reached and its schema is current. */
  readonly has_resumed: boolean
  readonly committed_position: number
  /**
   * The longest time from a frame's receipt to its commit, over the commits of the last second and
   * the oldest frame that is still pending; 0 if there are none.
   */
  readonly lag_ms: number
  readonly database_away: boolean
  /** As of the last commit. */
  readonly lost_streams: LossReport
  /** Everything committed since the follower began. */
  readonly counts: FollowCounts
}

/** One batch that was committed. */
export interface Commit {
  readonly row_count: number
  /** From the receipt of its oldest frame; 0 if it held none. */
  readonly lag_ms: number
}

/** Bounds the commits not yet taken. About twenty a second are made at most. */
const COMMITS_MAX = 1_000

/** A commit that runs longer than this counts as Postgres being away. */
const SLOW_COMMIT_MS = 5_000
const MICROS_PER_MS = 1_000
/** How long a commit counts in the lag: about as often as the status is read. */
const LAG_WINDOW_US = SECOND_US

interface Wait {
  readonly committed_at: Micros
  readonly wait_us: number
}

interface SentBatch {
  readonly batch: Batch
  readonly counts: MutableCounts
}

export class Progress implements SessionEvents {
  readonly #clock: () => Micros
  readonly #total: MutableCounts = createFollowCounts()
  #waiting: Batch[] = []
  /** Its commit is sent, and not answered yet. */
  #sent: SentBatch | undefined
  /**
   * The connection broke before Postgres answered. The position of a later session shows whether
   * the commit arrived; until then that transaction may still be running.
   */
  #in_doubt: SentBatch | undefined
  #committed_position = 0
  #away_since: Micros | undefined
  #commit_since: Micros | undefined
  #wishes: { readonly position: number; readonly resolve: () => void }[] = []
  /** Of the last second. */
  #waits: Wait[] = []
  #lost_streams = NO_LOSSES
  #commits: Commit[] = []
  /** Undefined before the first session. */
  streams: StreamTable | undefined
  has_resumed = false
  /** True once this session has committed something. */
  advanced = false

  constructor(clock: () => Micros) {
    this.#clock = clock
  }

  resume(from: Pick<Resume, 'position'>): void {
    const in_doubt = this.#in_doubt
    if (in_doubt?.batch.to_position === from.position) addCounts(this.#total, in_doubt.counts)
    if (in_doubt?.batch.from_position !== from.position) this.#in_doubt = undefined
    this.#waiting = []
    this.#away_since = undefined
    this.has_resumed = true
    this.advanced = false
    this.#moveTo(from.position)
  }

  /** The session broke. */
  lose(): void {
    this.advanced = false
    this.#in_doubt = this.#sent ?? this.#in_doubt
    this.#sent = undefined
    this.#away_since ??= this.#clock()
    this.#commit_since = undefined
  }

  onBegun(streams: StreamTable): void {
    this.streams = streams
  }

  onSealed(batch: Batch): void {
    this.#waiting.push(batch)
    this.#commit_since ??= this.#clock()
  }

  onStored(batch: Batch, counts: MutableCounts): void {
    this.#sent = { batch, counts }
  }

  onRolledBack(): void {
    this.#sent = undefined
  }

  onCommitted(batch: Batch, counts: MutableCounts): void {
    this.#sent = undefined
    this.#in_doubt = undefined
    this.advanced = true
    addCounts(this.#total, counts)
    this.#lost_streams = batch.lost_streams
    const committed_at = this.#clock()
    const wait_us = committed_at - (batch.oldest_ts_ingest ?? committed_at)
    this.#waits = [...this.#recentWaits(committed_at), { committed_at, wait_us }]
    const lag_ms = Math.max(0, wait_us / MICROS_PER_MS)
    if (this.#commits.length < COMMITS_MAX) {
      this.#commits.push({ row_count: sumOf(counts.rows), lag_ms })
    }
    this.#waiting = this.#waiting.filter((waiting) => waiting !== batch)
    this.#commit_since = this.#waiting.length === 0 ? undefined : committed_at
    this.#moveTo(batch.to_position)
  }

  status(): FollowerStatus {
    const now = this.#clock()
    const slow =
      this.#commit_since !== undefined && now - this.#commit_since > SLOW_COMMIT_MS * MICROS_PER_MS
    return {
      has_resumed: this.has_resumed,
      committed_position: this.#committed_position,
      lag_ms: this.#lagMs(now),
      database_away: this.#away_since !== undefined || slow,
      lost_streams: this.#lost_streams,
      counts: this.#total,
    }
  }

  /** Commits since the last call. */
  takeCommits(): readonly Commit[] {
    const commits = this.#commits
    this.#commits = []
    return commits
  }

  async committed(position: number, ended: Promise<void>): Promise<void> {
    if (this.has_resumed && this.#committed_position >= position) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wishes.push({ position, resolve })
    await Promise.race([promise, ended.then(() => Promise.reject(stopped(position)))])
  }

  end(): void {
    this.#wishes = []
  }

  #lagMs(now: Micros): number {
    const oldest = this.#waiting[0]?.oldest_ts_ingest ?? this.#away_since ?? now
    const waits = this.#recentWaits(now).map(({ wait_us }) => wait_us)
    return Math.round(Math.max(0, now - oldest, ...waits) / MICROS_PER_MS)
  }

  #recentWaits(now: Micros): readonly Wait[] {
    return this.#waits.filter(({ committed_at }) => now - committed_at < LAG_WINDOW_US)
  }

  #moveTo(position: number): void {
    this.#committed_position = position
    for (const wish of this.#wishes) if (wish.position <= position) wish.resolve()
    this.#wishes = this.#wishes.filter((wish) => wish.position > position)
  }
}

function stopped(position: number): OperatorError {
  return new OperatorError(
    'follower_stopped',
    `The writer was stopped before position ${position}.`,
  )
}
