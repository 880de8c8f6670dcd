/**
 * What a follower has committed, what waits, and who waits for it. Counts survive a lost
 * acknowledgement: the next session's position tells whether the commit arrived.
 */
import { OperatorError } from '#core/errors.ts'
import type { Micros } from '#core/time.ts'
import type { Batch } from './batcher.ts'
import { addCounts, createCounts, type FollowCounts, type MutableCounts } from './counts.ts'
import type { Resume } from './resume.ts'
import type { SessionEvents } from './session.ts'

export interface FollowerStatus {
  /** False until Postgres was reached once and the schema found good. */
  readonly has_resumed: boolean
  readonly committed_position: number
  /** Arrival of the oldest frame that was read and not yet committed. */
  readonly oldest_uncommitted: Micros | undefined
  readonly database_away: boolean
  /** What was committed since the follower began. */
  readonly counts: FollowCounts
}

/** A commit under way for longer than this: Postgres is as good as away. */
const SLOW_COMMIT_MS = 5_000
const MICROS_PER_MS = 1_000

export class Progress implements SessionEvents {
  readonly #clock: () => Micros
  readonly #total: MutableCounts = createCounts()
  #waiting: Batch[] = []
  /** Stored, and its commit sent: did it arrive? The next session's position tells. */
  #in_doubt: { readonly batch: Batch; readonly counts: MutableCounts } | undefined
  #committed_position = 0
  #away_since: Micros | undefined
  #commit_since: Micros | undefined
  #wishes: { readonly position: number; readonly resolve: () => void }[] = []
  has_resumed = false
  /** True once this session has committed something. */
  advanced = false

  constructor(clock: () => Micros) {
    this.#clock = clock
  }

  resume(from: Resume): void {
    const in_doubt = this.#in_doubt
    if (in_doubt !== undefined && in_doubt.batch.to_position === from.position) {
      addCounts(this.#total, in_doubt.counts)
    }
    this.#in_doubt = undefined
    this.#waiting = []
    this.#away_since = undefined
    this.has_resumed = true
    this.advanced = false
    this.#moveTo(from.position)
  }

  /** The session broke. */
  lose(): void {
    this.advanced = false
    this.#away_since ??= this.#clock()
    this.#commit_since = undefined
  }

  onSealed(batch: Batch): void {
    this.#waiting.push(batch)
    this.#commit_since ??= this.#clock()
  }

  onStored(batch: Batch, counts: MutableCounts): void {
    this.#in_doubt = { batch, counts }
  }

  onCommitted(batch: Batch, counts: MutableCounts): void {
    this.#in_doubt = undefined
    this.advanced = true
    addCounts(this.#total, counts)
    this.#waiting = this.#waiting.filter((waiting) => waiting !== batch)
    this.#commit_since = this.#waiting.length === 0 ? undefined : this.#clock()
    this.#moveTo(batch.to_position)
  }

  status(): FollowerStatus {
    const now = this.#clock()
    const slow =
      this.#commit_since !== undefined && now - this.#commit_since > SLOW_COMMIT_MS * MICROS_PER_MS
    return {
      has_resumed: this.has_resumed,
      committed_position: this.#committed_position,
      oldest_uncommitted: this.#waiting[0]?.oldest_ts_ingest ?? this.#away_since,
      database_away: this.#away_since !== undefined || slow,
      counts: this.#total,
    }
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

  #moveTo(position: number): void {
    this.#committed_position = position
    for (const wish of this.#wishes) if (wish.position <= position) wish.resolve()
    this.#wishes = this.#wishes.filter((wish) => wish.position > position)
  }
}

function stopped(position: number): OperatorError {
  return new OperatorError('follower_stopped', `The writer was stopped before position ${position}.`)
}
