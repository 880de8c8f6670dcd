/**
 * The quote at the end of each second: what features_1s computes its mids from, without its other
 * columns. Values are carried forward up to the next gap. Pure.
 */
import type { QuoteChunk } from '../day/events.ts'
import { type Cut, isAfterCut } from '../day/gaps.ts'
import { endOf, type Grid, rowOf } from '../day/grid.ts'
import { columnsFor } from '../day/grid-columns.ts'
import type { SecondQuotes } from '../features/mid-returns.ts'
import type { TopOfBook } from '../formulas/formulas.ts'

type Wanted = Pick<QuoteChunk, 'row_count' | 'ts_exchange' | 'update_id' | 'best_bid' | 'best_ask'>

export class SecondQuoteFold {
  readonly #grid: Grid
  readonly #cuts: readonly Cut[]
  readonly #columns
  readonly #cut: Uint8Array
  readonly #carried: TopOfBook | undefined
  #bid: number
  #ask: number
  #is_known: boolean
  #row = 0
  #next_cut = 0

  /** `carried`: the quote that was current at the start of the grid, without a gap in between. */
  constructor(grid: Grid, cuts: readonly Cut[], carried: TopOfBook | undefined) {
    this.#grid = grid
    this.#cuts = cuts.filter((cut) => cut.ts >= grid.from)
    this.#columns = columnsFor(['best_bid', 'best_ask'] as const, grid, NaN)
    this.#cut = new Uint8Array(grid.row_count)
    this.#carried = carried
    this.#is_known = carried !== undefined
    this.#bid = carried?.best_bid ?? NaN
    this.#ask = carried?.best_ask ?? NaN
  }

  /** In the order of (ts_exchange, update_id). */
  add({ row_count, ts_exchange, update_id, best_bid, best_ask }: Wanted): void {
    for (let i = 0; i < row_count; i++) {
      const ts = ts_exchange[i]!
      const target = rowOf(this.#grid, ts)
      while (this.#row < target) this.#closeRow()
      this.#cutUntil(ts, update_id[i]!)
      this.#bid = best_bid[i]!
      this.#ask = best_ask[i]!
      this.#is_known = true
      // A quote with an empty side has no mid.
      if (!(this.#bid > 0 && this.#ask > 0)) this.#cut[target] = 1
    }
  }

  /** Call once. */
  finish(): SecondQuotes {
    while (this.#row < this.#grid.row_count) this.#closeRow()
    return { columns: this.#columns, carried: this.#carried, cut: this.#cut }
  }

  #cutUntil(ts: number, id: number): void {
    while (this.#next_cut < this.#cuts.length && isAfterCut(this.#cuts[this.#next_cut]!, ts, id)) {
      this.#is_known = false
      this.#cut[this.#row] = 1
      this.#next_cut += 1
    }
  }

  #closeRow(): void {
    this.#cutUntil(endOf(this.#grid, this.#row), -Infinity)
    if (this.#is_known) {
      this.#columns.best_bid[this.#row] = this.#bid
      this.#columns.best_ask[this.#row] = this.#ask
    }
    this.#row += 1
  }
}
