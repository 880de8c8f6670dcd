/**
 * Folds a symbol's depth into changes of a known book: diffs, and all levels where it becomes
 * known. Whoever applies them in order has the book that we had. Arrivals never go back: an update
 * that overtook another is known only with it. Pure.
 */
import type { LevelList, OrderBook } from '#core/book.ts'
import { BookReplay, HeldDiffs } from '#core/book-replay.ts'
import type { AnyDepthChange } from '#core/book-sync.ts'
import type { ArrivedDepthRow } from '../day/depth-reader.ts'
import { isUnknownAt, type StreamGap } from '../day/gaps.ts'

export interface BookChange {
  readonly ts: number
  readonly ts_ingest: number
  readonly update_id: number
  readonly is_snapshot: boolean
  /** In no particular order for a diff; best first for a snapshot. */
  readonly bids: LevelList
  readonly asks: LevelList
  /** After the change. Valid until the next one. */
  readonly book: OrderBook
}

export class DepthFold {
  readonly #from: number
  readonly #gaps: readonly StreamGap[]
  readonly #onChange: (change: BookChange) => void
  readonly #replay = new BookReplay()
  readonly #held = new HeldDiffs<ArrivedDepthRow>(this.#replay, (diff) => this.#take(diff))
  #arrived = -Infinity
  /** Time of the newest change; undefined if all levels come next. */
  #last: number | undefined
  /** A snapshot of a known book replaces it with another. */
  #book: OrderBook | undefined

  /** `from`: midnight [us]; depth before it only builds the book. `gaps`: of the depth stream. */
  constructor(from: number, gaps: readonly StreamGap[], onChange: (change: BookChange) => void) {
    this.#from = from
    this.#gaps = gaps.filter((gap) => !gap.repaired)
    this.#onChange = onChange
  }

  /** In the order of (ts_exchange, final_update_id). */
  add(rows: readonly ArrivedDepthRow[]): void {
    for (const row of rows) this.#held.add(row, row.depth_kind === 'snapshot')
  }

  /** Ends the day. */
  finish(): void {
    this.#held.releaseBefore(Infinity)
  }

  #take(diff: ArrivedDepthRow): void {
    const outcome = this.#replay.take(diff)
    const { book } = this.#replay
    const { ts_exchange: ts, final_update_id: update_id } = diff
    if (outcome === 'old') return
    this.#arrived = Math.max(this.#arrived, diff.ts_ingest)
    if (book !== this.#book || this.#isCut(ts)) this.#last = undefined
    this.#book = book
    if (book === undefined || ts < this.#from || this.#gaps.some((gap) => isUnknownAt(gap, ts))) {
      this.#last = undefined
      return
    }
    const is_snapshot = this.#last === undefined
    const { bids, asks } = is_snapshot ? levelsOf(book) : (diff as AnyDepthChange)
    this.#last = ts
    this.#onChange({ ts, ts_ingest: this.#arrived, update_id, is_snapshot, bids, asks, book })
  }

  /** A gap lies between the newest change and this time. */
  #isCut(ts: number): boolean {
    const last = this.#last
    return last !== undefined && this.#gaps.some((gap) => gap.from_ts >= last && gap.from_ts < ts)
  }
}

function levelsOf({ bids, asks }: OrderBook): {
  readonly bids: LevelList
  readonly asks: LevelList
} {
  return { bids: bids.top(bids.level_count), asks: asks.top(asks.level_count) }
}
