/**
 * Folds trades into the trade features of a grid. An interval without a trade has count and
 * volume 0; one that we did not hear in full has nothing.
 */
import type { TradeChunk } from '../source/source.ts'
import { columnsFor, type Columns } from './columns.ts'
import { type Grid, rowOf } from './grid.ts'
import { tradeImbalance } from './trade-imbalance.ts'
import { vwap } from './vwap.ts'

const NAMES = [
  'trade_count',
  'volume',
  'buy_volume',
  'sell_volume',
  'notional',
  'vwap',
  'trade_imbalance',
] as const

export type TradeColumns = Columns<(typeof NAMES)[number]>

export class TradeFold {
  readonly #grid: Grid
  readonly #blind: Uint8Array
  readonly #columns: TradeColumns

  /** `blind` has 1 where the interval is not known in full. */
  constructor(grid: Grid, blind: Uint8Array) {
    this.#grid = grid
    this.#blind = blind
    this.#columns = columnsFor(NAMES, grid, 0)
  }

  add(chunk: TradeChunk): void {
    const { trade_count, volume, buy_volume, sell_volume, notional } = this.#columns
    for (let i = 0; i < chunk.row_count; i++) {
      const row = rowOf(this.#grid, chunk.ts_exchange[i]!)
      const qty = chunk.qty[i]!
      trade_count[row]! += 1
      volume[row]! += qty
      if (chunk.is_buyer_maker[i] === 1) sell_volume[row]! += qty
      else buy_volume[row]! += qty
      notional[row]! += chunk.price[i]! * qty
    }
  }

  /** Call once. */
  finish(): TradeColumns {
    const columns = this.#columns
    for (let row = 0; row < this.#grid.row_count; row++) {
      if (this.#blind[row] === 1) {
        for (const name of NAMES) columns[name][row] = NaN
        continue
      }
      columns.vwap[row] = vwap(columns.notional[row]!, columns.volume[row]!) ?? NaN
      columns.trade_imbalance[row] =
        tradeImbalance(columns.buy_volume[row]!, columns.sell_volume[row]!) ?? NaN
    }
    return columns
  }
}
