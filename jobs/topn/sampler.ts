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
 *    a hole between. Where the book is known, core/book-replay.ts says; a diff has to have
 *    continued its snapshot, so that the time at which a snapshot arrived shows nowhere.
 */
import { BookReplay, type Stretch } from '#core/book-replay.ts'
import type { DepthChange } from '#core/book-sync.ts'
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
  readonly #replay = new BookReplay()
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
    this.#replay.addSnapshots(snapshots)
  }

  /** Takes the next diff in order of (ts_exchange, final_update_id); the rows it allows to show. */
  take(diff: DepthChange): readonly TopRow[] {
    const stretch = this.#replay.before(diff)
    const rows = stretch?.is_continued === true ? this.#show(stretch) : []
    const outcome = this.#replay.take(diff)
    if (outcome === 'lost' || outcome === 'found') this.#seen = undefined
    if (outcome === 'update' || outcome === 'found') {
      this.#covered_to = later(this.#covered_to ?? diff.ts_exchange, diff.ts_exchange)
    }
    return rows
  }

  /** The moments of the stretch that are to have a row. */
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
