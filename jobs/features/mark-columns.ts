/** Folds mark prices into the features of a grid; a price is carried forward up to the next gap. */
import { decimalOf, minus, quotient, times } from '#core/decimals.ts'
import { HOUR_US } from '#core/time.ts'
import type { CarriedMark, MarkChunk } from '../day/events.ts'
import { isAfterCut, type Cut } from '../day/gaps.ts'
import { columnsFor, type Columns } from '../day/grid-columns.ts'
import { endOf, type Grid, rowOf } from '../day/grid.ts'

const NAMES = ['mark_price', 'index_price', 'mark_index_basis_bps', 'funding_rate'] as const

export type MarkColumns = Columns<(typeof NAMES)[number]>

export type MarkValues = Omit<CarriedMark, 'ts_exchange'>

export class MarkFold {
  readonly #grid: Grid
  readonly #cuts: readonly Cut[]
  readonly #columns: MarkColumns
  readonly #hours = new Map<number, MarkValues | undefined>()
  #state: MarkValues | undefined
  #row = 0
  #next_cut = 0

  /** `carried` holds the values at the start of the grid. */
  constructor(grid: Grid, cuts: readonly Cut[], carried?: MarkValues) {
    this.#grid = grid
    this.#cuts = cuts.filter((cut) => cut.ts >= grid.from)
    this.#columns = columnsFor(NAMES, grid, NaN)
    this.#state = carried
  }

  add(chunk: MarkChunk): void {
    for (let i = 0; i < chunk.row_count; i++) {
      const ts = chunk.ts_exchange[i]!
      const row = Math.min(rowOf(this.#grid, ts), this.#grid.row_count)
      while (this.#row < row) this.#closeRow()
      this.#cutUntil(ts)
      this.#state = {
        mark_price: chunk.mark_price[i]!,
        index_price: chunk.index_price[i]!,
        funding_rate: chunk.funding_rate[i]!,
      }
    }
  }

  /** Call once. */
  finish(): MarkColumns {
    while (this.#row < this.#grid.row_count) this.#closeRow()
    return this.#columns
  }

  /** Values at the end of each hour: the `carried` of a grid that begins there. */
  get hours(): ReadonlyMap<number, MarkValues | undefined> {
    return this.#hours
  }

  /** The stream has no ids, so a cut at the timestamp of an event comes before that event. */
  #cutUntil(ts: number): void {
    while (this.#next_cut < this.#cuts.length && isAfterCut(this.#cuts[this.#next_cut]!, ts, 0)) {
      this.#state = undefined
      this.#next_cut += 1
    }
  }

  #closeRow(): void {
    const end = endOf(this.#grid, this.#row)
    this.#cutUntil(end)
    if (end % HOUR_US === 0) this.#hours.set(end, this.#state)
    if (this.#state !== undefined) {
      const { mark_price, index_price, funding_rate } = this.#state
      this.#columns.mark_price[this.#row] = mark_price
      this.#columns.index_price[this.#row] = index_price
      this.#columns.mark_index_basis_bps[this.#row] = basisBps(mark_price, index_price)
      this.#columns.funding_rate[this.#row] = funding_rate
    }
    this.#row += 1
  }
}

/** Mark price above the index [bps]; NaN if the index is unknown or 0. */
export function basisBps(mark_price: number, index_price: number): number {
  if (Number.isNaN(index_price)) return NaN
  const index = decimalOf(index_price)
  return quotient(times(minus(decimalOf(mark_price), index), decimalOf(1e4)), index)
}
