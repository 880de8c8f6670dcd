/**
 * Folds forced orders into the features of a grid: 0 in an interval without any, null if the
 * interval was not fully recorded. Orders are added by time; sums are exact.
 */
import { DecimalSum, nearest, Scale } from '#core/decimals.ts'
import type { LiquidationChunk } from '../day/events.ts'
import { columnsFor, type Columns } from '../day/grid-columns.ts'
import { type Grid, rowOf } from '../day/grid.ts'

const NAMES = ['liquidation_count', 'liquidation_buy_volume', 'liquidation_sell_volume'] as const

export type LiquidationColumns = Columns<(typeof NAMES)[number]>

export class LiquidationFold {
  readonly #grid: Grid
  readonly #blind: Uint8Array
  readonly #columns: LiquidationColumns
  readonly #qtys = new Scale()
  // State of the open interval:
  #row = 0
  readonly #bought = new DecimalSum()
  readonly #sold = new DecimalSum()

  /** `blind` is 1 for an interval that was not fully recorded. */
  constructor(grid: Grid, blind: Uint8Array) {
    this.#grid = grid
    this.#blind = blind
    this.#columns = columnsFor(NAMES, grid, 0)
  }

  add(chunk: LiquidationChunk): void {
    const { liquidation_count } = this.#columns
    for (let i = 0; i < chunk.row_count; i++) {
      const row = rowOf(this.#grid, chunk.ts_exchange[i]!)
      // This stream may begin before the streams that define the grid, and end after them.
      if (row < 0 || row >= this.#grid.row_count) continue
      if (row !== this.#row) this.#closeRow(row)
      liquidation_count[row]! += 1
      const volume = chunk.is_buy[i] === 1 ? this.#bought : this.#sold
      volume.add(this.#qtys, chunk.filled_qty[i]!)
    }
  }

  /** Call once. */
  finish(): LiquidationColumns {
    this.#closeRow(this.#grid.row_count)
    for (let row = 0; row < this.#grid.row_count; row++) {
      if (this.#blind[row] !== 1) continue
      for (const name of NAMES) this.#columns[name][row] = NaN
    }
    return this.#columns
  }

  #closeRow(next: number): void {
    this.#columns.liquidation_buy_volume[this.#row] = nearest(this.#bought.value)
    this.#columns.liquidation_sell_volume[this.#row] = nearest(this.#sold.value)
    this.#bought.reset()
    this.#sold.reset()
    this.#row = next
  }
}
