/** Folds forced orders into the features of a grid: 0 where none came, null where we were blind. */
import type { LiquidationChunk } from '../source/source.ts'
import { columnsFor, type Columns } from './columns.ts'
import { type Grid, rowOf } from './grid.ts'

const NAMES = [
  'liquidation_count',
  'liquidation_buy_volume',
  'liquidation_sell_volume',
] as const

export type LiquidationColumns = Columns<(typeof NAMES)[number]>

export class LiquidationFold {
  readonly #grid: Grid
  readonly #columns: LiquidationColumns

  /** `blind` has 1 where the interval is not known in full. */
  constructor(grid: Grid, blind: Uint8Array) {
    this.#grid = grid
    this.#columns = columnsFor(NAMES, grid, 0)
    for (const name of NAMES) {
      for (let row = 0; row < grid.row_count; row++) {
        if (blind[row] === 1) this.#columns[name][row] = NaN
      }
    }
  }

  add(chunk: LiquidationChunk): void {
    const { liquidation_count, liquidation_buy_volume, liquidation_sell_volume } = this.#columns
    for (let i = 0; i < chunk.row_count; i++) {
      const row = rowOf(this.#grid, chunk.ts_exchange[i]!)
      // Such a stream may begin before, and end after, those that make the grid.
      if (row < 0 || row >= this.#grid.row_count) continue
      liquidation_count[row]! += 1
      const volume = chunk.is_buy[i] === 1 ? liquidation_buy_volume : liquidation_sell_volume
      volume[row]! += chunk.filled_qty[i]!
    }
  }

  finish(): LiquidationColumns {
    return this.#columns
  }
}
