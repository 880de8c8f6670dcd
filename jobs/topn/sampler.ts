/**
 * Turns one symbol's recorded depth into rows of orderbook_topn. Pure and without a clock: the same
 * depth gives the same rows, however it is cut into runs.
 *
 * After a book was lost, this holds once its next snapshot is stored. Depth before that snapshot
 * gives no rows.
 *
 * Invariants
 * 1. The row at t shows the book after every diff with ts_exchange <= t. t is a multiple of
 *    `min_us`.
 * 2. There is a row at t if the best ten levels differ from those at t - min_us, and at every
 *    multiple of `max_us`.
 * 3. A time gets a row only once a later diff has connected to the book; until then there may be a
 *    gap in between. core/book-replay.ts decides where the book is known. A diff must have
 *    continued its snapshot, so that rows do not depend on when the snapshot arrived.
 */
import { BookReplay, type Stretch } from '#core/book-replay.ts'
import type { AnyDepthChange } from '#core/book-sync.ts'
import { type Micros, micros } from '#core/time.ts'
import { sameLevels, topLevels, type TopLevels, type TopRow, topValues } from './row.ts'

export interface Cadence {
  /** Shortest time between two rows. */
  readonly min_us: number
  /** Longest time between two rows, a multiple of min_us. */
  readonly max_us: number
}

export class TopSampler {
  readonly #cadence: Cadence
  /** Times before it already have their rows. */
  readonly #from: Micros
  readonly #replay = new BookReplay()
  /** The last sampled time and its levels. */
  #seen: { readonly t: number; readonly levels: TopLevels } | undefined
  #covered_to: Micros | undefined

  constructor(cadence: Cadence, from: Micros) {
    this.#cadence = cadence
    this.#from = from
  }

  /** Every time before it that needs a row has one; undefined before the first book. */
  get covered_to(): Micros | undefined {
    return this.#covered_to
  }

  /** Adds snapshots that belong among the next diffs, in any order. */
  addSnapshots(snapshots: readonly AnyDepthChange[]): void {
    this.#replay.addSnapshots(snapshots)
  }

  /** Takes the next diff by (ts_exchange, final_update_id). Returns rows that are now certain. */
  take(diff: AnyDepthChange): readonly TopRow[] {
    const stretch = this.#replay.before(diff)
    const rows = stretch?.is_continued === true ? this.#show(stretch) : []
    const outcome = this.#replay.take(diff)
    if (outcome === 'lost' || outcome === 'found') this.#seen = undefined
    if (outcome === 'update' || outcome === 'found') {
      this.#covered_to = later(this.#covered_to ?? diff.ts_exchange, diff.ts_exchange)
    }
    return rows
  }

  /** Rows for the times of the stretch that need one. */
  #show({ book, update_id, from, to }: Stretch): readonly TopRow[] {
    const { min_us, max_us } = this.#cadence
    const first = Math.max(ceilTo(from, min_us), (this.#seen?.t ?? -Infinity) + min_us)
    if (first >= to) return []
    const levels = topLevels(book)
    const is_new = this.#seen === undefined || !sameLevels(this.#seen.levels, levels)
    const moments = is_new && first % max_us !== 0 ? [first] : []
    for (let t = ceilTo(first, max_us); t < to; t += max_us) moments.push(t)
    this.#seen = { t: moments.at(-1) ?? first, levels }
    const values = topValues(book, levels)
    return moments
      .filter((t) => t >= this.#from)
      .map((t) => ({ ts_exchange: micros(t), final_update_id: update_id, values }))
  }
}

function ceilTo(ts: number, step_us: number): number {
  return Math.ceil(ts / step_us) * step_us
}

function later(a: Micros, b: Micros): Micros {
  return a > b ? a : b
}
