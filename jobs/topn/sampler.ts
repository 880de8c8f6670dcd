/**
 * From one symbol's recorded depth to rows of orderbook_topn: pure, without a clock, so the same
 * rows of depth give the same rows however they are cut into runs.
 *
 * (Where a book was lost, that holds once its next snapshot is stored: of what was taken before
 * that, nothing is shown.)
 *
 * Invariants
 * 1. The row at t shows the book after every diff with ts_exchange <= t. t is a multiple of
 *    `min_us`.
 * 2. There is a row at t where the best ten levels differ from those at t - min_us, and at every
 *    multiple of `max_us`.
 * 3. A moment is only shown once a later diff has connected to the book: until then there may be
 *    a hole between. So nothing is shown of a hole, nor after it before the next snapshot.
 * 4. A snapshot takes its place by its id, before the first diff that it does not contain: its
 *    time may be later than theirs (core/book-at.ts, SNAPSHOT_LATE_US).
 */
import {
  type BookState,
  type DepthChange,
  fitOf,
  takeDiff,
  takeSnapshot,
  unsyncedBook,
} from '#core/book-sync.ts'
import { type Micros, micros } from '#core/time.ts'
import { sameLevels, topLevels, type TopLevels, type TopRow, topValues } from './row.ts'

export interface Cadence {
  /** Least time between two rows. */
  readonly min_us: number
  /** Most time between two rows, a multiple of min_us. */
  readonly max_us: number
}

export class TopSampler {
  readonly #cadence: Cadence
  /** Moments before it are not shown: they have their rows. */
  readonly #from: Micros
  #state: BookState = unsyncedBook()
  /** ts_exchange of the newest diff in the book; undefined where none is in it yet. */
  #changed_at: Micros | undefined
  #snapshots: DepthChange[] = []
  /** The last moment that was looked at, and the levels there. */
  #seen: { readonly t: number; readonly levels: TopLevels } | undefined
  #covered_to: Micros | undefined

  constructor(cadence: Cadence, from: Micros) {
    this.#cadence = cadence
    this.#from = from
  }

  /** Every moment before it has its row, if it is to have one; undefined before the first book. */
  get covered_to(): Micros | undefined {
    return this.#covered_to
  }

  /** Snapshots whose place is among the diffs that come next, in any order. */
  addSnapshots(snapshots: readonly DepthChange[]): void {
    this.#snapshots.push(...snapshots)
    this.#snapshots.sort((a, b) => a.final_update_id - b.final_update_id)
  }

  /** Takes the next diff in order of (ts_exchange, final_update_id); the rows it allows to show. */
  take(diff: DepthChange): readonly TopRow[] {
    const rows = this.#show(diff)
    if (this.#state.kind === 'synced' && fitOf(this.#state, diff) === 'hole') this.#forget()
    this.#takeSnapshotsBefore(diff)
    const is_next = this.#state.kind === 'synced' && fitOf(this.#state, diff) === 'next'
    ;[this.#state] = takeDiff(this.#state, diff)
    if (this.#state.kind === 'syncing') this.#forget()
    else if (is_next) {
      this.#changed_at = later(this.#changed_at ?? diff.ts_exchange, diff.ts_exchange)
      this.#covered_to = later(this.#covered_to ?? diff.ts_exchange, diff.ts_exchange)
    }
    return rows
  }

  /** Behind a hole: a snapshot may fill it at once, but nothing is known of the moments in it. */
  #forget(): void {
    this.#changed_at = undefined
    this.#seen = undefined
  }

  #takeSnapshotsBefore(diff: DepthChange): void {
    for (;;) {
      const snapshot = this.#snapshots[0]
      if (snapshot === undefined || snapshot.final_update_id > diff.final_update_id) return
      this.#snapshots.shift()
      ;[this.#state] = takeSnapshot(this.#state, snapshot)
    }
  }

  /** The moments from the last change up to this diff, where it connects. */
  #show(diff: DepthChange): readonly TopRow[] {
    const state = this.#state
    const changed_at = this.#changed_at
    if (state.kind === 'syncing' || changed_at === undefined) return []
    if (fitOf(state, diff) !== 'next') return []
    const { min_us, max_us } = this.#cadence
    const first = Math.max(ceilTo(changed_at, min_us), (this.#seen?.t ?? -Infinity) + min_us)
    if (first >= diff.ts_exchange) return []
    const levels = topLevels(state.book)
    const is_new = this.#seen === undefined || !sameLevels(this.#seen.levels, levels)
    const moments = is_new && first % max_us !== 0 ? [first] : []
    for (let t = ceilTo(first, max_us); t < diff.ts_exchange; t += max_us) moments.push(t)
    this.#seen = { t: moments.at(-1) ?? first, levels }
    const values = topValues(state.book, levels)
    return moments
      .filter((t) => t >= this.#from)
      .map((t) => ({ ts_exchange: micros(t), final_update_id: state.last_id, values }))
  }
}

function ceilTo(ts: number, step_us: number): number {
  return Math.ceil(ts / step_us) * step_us
}

function later(a: Micros, b: Micros): Micros {
  return a > b ? a : b
}
