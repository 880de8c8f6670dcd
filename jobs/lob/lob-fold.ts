/**
 * Folds a symbol's depth into rows of the best ten levels, one per update of a known book in which
 * both sides have as many. Labels look ahead at most LOOK_AHEAD rows and never across a gap, so
 * rows leave in parts, and memory holds no more than one part. Pure.
 */
import type { OrderBook } from '#core/book.ts'
import { BookReplay, HeldDiffs } from '#core/book-replay.ts'
import type { AnyDepthChange } from '#core/book-sync.ts'
import { decimalOf, minus, plus, quotient, times, ZERO } from '#core/decimals.ts'
import type { Decimal } from '#core/decimals.ts'
import type { AnyDepthRow } from '../day/depth-reader.ts'
import { isUnknownAt, type StreamGap } from '../day/gaps.ts'
import { LOB_COLUMNS, LOB_HORIZONS, LOB_LEVELS, labelName } from './columns.ts'
import { type ColumnMoments, Moments } from './moments.ts'

export interface LobPart {
  readonly ts: BigInt64Array
  /** By name; NaN is null. */
  readonly columns: Readonly<Record<string, Float64Array>>
}

const LOOK_AHEAD = Math.max(...LOB_HORIZONS)
/** With 46 columns of doubles: 24 MB. */
export const PART_ROWS = 65_536

export class LobFold {
  readonly #from: number
  readonly #gaps: readonly StreamGap[]
  readonly #replay = new BookReplay()
  readonly #held = new HeldDiffs(this.#replay, (diff) => this.#take(diff))
  readonly #onPart: (part: LobPart) => void
  readonly #moments = LOB_COLUMNS.map(() => new Moments())
  readonly #part_rows: number
  #ts = new Float64Array(0)
  #ids = new Float64Array(0)
  #levels: readonly Float64Array[] = []
  /** Number of the run of rows without a gap that a row is in. */
  #runs = new Int32Array(0)
  #count = 0
  #run = 0
  row_count = 0

  /** `from`: midnight [us]; depth before it only builds the book. `gaps`: of the depth stream. */
  constructor(
    from: number,
    gaps: readonly StreamGap[],
    onPart: (part: LobPart) => void,
    part_rows = PART_ROWS,
  ) {
    this.#from = from
    this.#gaps = gaps.filter((gap) => !gap.repaired)
    this.#onPart = onPart
    this.#part_rows = part_rows
    this.#allocate()
  }

  /** In the order of (ts_exchange, final_update_id). */
  add(rows: readonly AnyDepthRow[]): void {
    for (const row of rows) this.#held.add(row, row.depth_kind === 'snapshot')
  }

  /** Ends the day. Returns the moments of the 40 columns for the next; undefined without rows. */
  finish(): readonly ColumnMoments[] | undefined {
    this.#held.releaseBefore(Infinity)
    this.#emit(this.#count)
    return this.row_count === 0 ? undefined : this.#moments.map((moments) => moments.value)
  }

  #take(diff: AnyDepthChange): void {
    const outcome = this.#replay.take(diff)
    if (outcome === 'lost' || outcome === 'found') this.#run += 1
    const { book } = this.#replay
    if (book === undefined || outcome === 'old' || diff.ts_exchange < this.#from) return
    const ts = diff.ts_exchange
    const is_whole =
      book.bids.level_count >= LOB_LEVELS &&
      book.asks.level_count >= LOB_LEVELS &&
      !this.#gaps.some((gap) => isUnknownAt(gap, ts))
    if (!is_whole) {
      this.#run += 1
      return
    }
    if (this.#count > 0) {
      const before = this.#ts[this.#count - 1]!
      if (this.#gaps.some((gap) => gap.from_ts >= before && gap.from_ts < ts)) this.#run += 1
    }
    this.#write(book, ts, diff.final_update_id)
  }

  #write({ bids, asks }: OrderBook, ts: number, id: number): void {
    const row = this.#count++
    this.#ts[row] = ts
    this.#ids[row] = id
    this.#runs[row] = this.#run
    for (let rank = 0; rank < LOB_LEVELS; rank++) {
      const [of_ask, of_bid] = [asks.priceAt(rank), bids.priceAt(rank)]
      this.#levels[4 * rank]![row] = of_ask
      this.#levels[4 * rank + 1]![row] = asks.qtyAt(rank)
      this.#levels[4 * rank + 2]![row] = of_bid
      this.#levels[4 * rank + 3]![row] = bids.qtyAt(rank)
    }
    for (const [place, moments] of this.#moments.entries()) moments.add(this.#levels[place]![row]!)
    if (this.#count === this.#part_rows + LOOK_AHEAD) this.#emit(this.#part_rows)
  }

  /** Rows after `end` are there for its labels. */
  #emit(end: number): void {
    if (end === 0) return
    const labels = this.#labels(end)
    const columns: Record<string, Float64Array> = { update_id: this.#ids.slice(0, end) }
    for (const [place, name] of LOB_COLUMNS.entries()) {
      columns[name] = this.#levels[place]!.slice(0, end)
    }
    for (const [place, horizon] of LOB_HORIZONS.entries()) {
      columns[labelName(horizon)] = labels[place]!
    }
    this.row_count += end
    this.#onPart({ ts: BigInt64Array.from(this.#ts.subarray(0, end), BigInt), columns })
    for (const column of [this.#ts, this.#ids, this.#runs, ...this.#levels]) {
      column.copyWithin(0, end, this.#count)
    }
    this.#count -= end
  }

  /** One rounding each: the quotient of two exact numbers. */
  #labels(end: number): readonly Float64Array[] {
    const [asks, bids] = [this.#levels[0]!, this.#levels[2]!]
    // Twice the mid: the factor cancels.
    const mids = Array.from({ length: this.#count }, (_, row) =>
      plus(decimalOf(asks[row]!), decimalOf(bids[row]!)),
    )
    const sums = [ZERO]
    for (const mid of mids) sums.push(plus(sums.at(-1)!, mid))
    return LOB_HORIZONS.map((horizon) => {
      const labels = new Float64Array(end).fill(NaN)
      const count: Decimal = { units: horizon, digits: 0 }
      for (let row = 0; row < end && row + horizon < this.#count; row++) {
        if (this.#runs[row + horizon] !== this.#runs[row]) continue
        const now = times(mids[row]!, count)
        const later = minus(sums[row + horizon + 1]!, sums[row + 1]!)
        labels[row] = quotient(minus(later, now), now)
      }
      return labels
    })
  }

  #allocate(): void {
    const length = this.#part_rows + LOOK_AHEAD
    this.#ts = new Float64Array(length)
    this.#ids = new Float64Array(length)
    this.#runs = new Int32Array(length)
    this.#levels = LOB_COLUMNS.map(() => new Float64Array(length))
  }
}
