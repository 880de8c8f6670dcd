/**
 * The last trades of a symbol, for REST requests. They are plain numbers in one growing array: an
 * object per trade would take several times the memory.
 */
import { selectTrades } from '../trade-range.ts'
import type { TradeQuery } from '../source.ts'

const ROWS_START = 64

export class TradeLog {
  readonly #width: number
  readonly #rows_max: number
  #rows: Float64Array
  #capacity = ROWS_START
  #first = 0
  #count = 0

  /** A row has `width` numbers; the first is the id, the second the time in ms. */
  constructor(width: number, rows_max: number) {
    this.#width = width
    this.#rows_max = Math.max(ROWS_START, rows_max)
    this.#rows = new Float64Array(ROWS_START * width)
  }

  /** Adds a row. A full log drops its oldest row. */
  push(row: readonly number[]): void {
    if (this.#count === this.#capacity && this.#capacity < this.#rows_max) this.#grow()
    if (this.#count < this.#capacity) this.#count += 1
    else this.#first = (this.#first + 1) % this.#capacity
    const at = this.#offset(this.#count - 1)
    for (let column = 0; column < this.#width; column += 1) this.#rows[at + column] = row[column]!
  }

  /** Copies of the selected rows, oldest first. */
  select(query: TradeQuery): readonly (readonly number[])[] {
    const idAt = (index: number): number => this.#rows[this.#offset(index)]!
    const timeAt = (index: number): number => this.#rows[this.#offset(index) + 1]!
    const { start, end } = selectTrades(this.#count, idAt, timeAt, query)
    return Array.from({ length: end - start }, (_, index) => {
      const at = this.#offset(start + index)
      return [...this.#rows.subarray(at, at + this.#width)]
    })
  }

  /** Called only before the first row is dropped, so the rows are in order from 0. */
  #grow(): void {
    this.#capacity = Math.min(this.#capacity * 2, this.#rows_max)
    const grown = new Float64Array(this.#capacity * this.#width)
    grown.set(this.#rows)
    this.#rows = grown
  }

  #offset(index: number): number {
    return ((this.#first + index) % this.#capacity) * this.#width
  }
}
