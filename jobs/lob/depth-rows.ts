/** Changes of a book as columns, one row per level, sorted by side and price within a change. */
import { type LevelList, pairsOf } from '#core/book.ts'
import type { BookChange } from './depth-fold.ts'

/** One row per level. `is_snapshot` and `is_bid` are 0 or 1; times in microseconds. */
export interface DepthRows {
  readonly ts: Float64Array
  readonly ts_ingest: Float64Array
  readonly update_id: Float64Array
  readonly depth_kind: Float64Array
  readonly side: Float64Array
  readonly price: Float64Array
  readonly qty: Float64Array
}

const NAMES = ['ts', 'ts_ingest', 'update_id', 'depth_kind', 'side', 'price', 'qty'] as const

export class DepthRowsWriter {
  #columns = columnsOf(1_024)
  row_count = 0

  add(change: BookChange): void {
    this.#addSide(change, 0, change.asks)
    this.#addSide(change, 1, change.bids)
  }

  /** Takes all rows that were added. */
  take(): DepthRows {
    const taken = Object.fromEntries(
      NAMES.map((name) => [name, this.#columns[name].slice(0, this.row_count)]),
    )
    this.row_count = 0
    // NAMES are the columns of DepthRows; fromEntries forgets which has which type.
    return taken as unknown as DepthRows
  }

  #addSide(change: BookChange, side: 0 | 1, levels: LevelList): void {
    const sorted = pairsOf(levels).toSorted(([a], [b]) => a - b)
    this.#reserve(sorted.length)
    const { ts, ts_ingest, update_id, depth_kind, side: sides, price, qty } = this.#columns
    const first = this.row_count
    for (const level of sorted) {
      // If a price occurs twice in an update, the last one wins.
      const is_again = this.row_count > first && price[this.row_count - 1] === level[0]
      const row = is_again ? this.row_count - 1 : this.row_count++
      ts[row] = change.ts
      ts_ingest[row] = change.ts_ingest
      update_id[row] = change.update_id
      depth_kind[row] = change.is_snapshot ? 1 : 0
      sides[row] = side
      price[row] = level[0]
      qty[row] = level[1]
    }
  }

  #reserve(count: number): void {
    const capacity = this.#columns.ts.length
    if (this.row_count + count <= capacity) return
    const grown = columnsOf(Math.max(capacity * 2, this.row_count + count))
    for (const name of NAMES) grown[name].set(this.#columns[name])
    this.#columns = grown
  }
}

function columnsOf(length: number): Record<(typeof NAMES)[number], Float64Array> {
  const columns = NAMES.map((name) => [name, new Float64Array(length)] as const)
  return Object.fromEntries(columns) as Record<(typeof NAMES)[number], Float64Array>
}
