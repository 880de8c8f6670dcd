/**
 * Folds trades into the trade features of a grid. An interval without trades has count 0 and volume
 * 0; one that was not fully recorded is null. Trades are added by time; sums are exact.
 */
import { DecimalSum, nearest, plus, Scale } from '#core/decimals.ts'
import type { TradeChunk } from '../day/events.ts'
import { columnsFor, type Columns } from '../day/grid-columns.ts'
import { type Grid, rowOf } from '../day/grid.ts'
import { tradeImbalance, vwap } from '../formulas/formulas.ts'
import { type ExactColumn, ExactColumnWriter } from './exact-column.ts'

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

/** Exact volumes that takers bought and sold, for further computation. */
export interface SideVolumes {
  readonly buy_volume: ExactColumn
  readonly sell_volume: ExactColumn
}

export interface TradeResult extends SideVolumes {
  readonly columns: TradeColumns
}

export class TradeFold {
  readonly #grid: Grid
  readonly #blind: Uint8Array
  readonly #columns: TradeColumns
  readonly #buy_volume: ExactColumnWriter
  readonly #sell_volume: ExactColumnWriter
  readonly #prices = new Scale()
  readonly #qtys = new Scale()
  // State of the open interval:
  #row = 0
  readonly #bought = new DecimalSum()
  readonly #sold = new DecimalSum()
  readonly #notional = new DecimalSum()

  /** `blind` is 1 for an interval that was not fully recorded. */
  constructor(grid: Grid, blind: Uint8Array) {
    this.#grid = grid
    this.#blind = blind
    this.#columns = columnsFor(NAMES, grid, 0)
    this.#buy_volume = new ExactColumnWriter(this.#columns.buy_volume)
    this.#sell_volume = new ExactColumnWriter(this.#columns.sell_volume)
  }

  add(chunk: TradeChunk): void {
    const { trade_count } = this.#columns
    for (let i = 0; i < chunk.row_count; i++) {
      const row = rowOf(this.#grid, chunk.ts_exchange[i]!)
      if (row !== this.#row) this.#closeRow(row)
      const qty = chunk.qty[i]!
      trade_count[row]! += 1
      const volume = chunk.is_buyer_maker[i] === 1 ? this.#sold : this.#bought
      volume.add(this.#qtys, qty)
      this.#notional.addProduct(this.#prices, chunk.price[i]!, this.#qtys, qty)
    }
  }

  /** Call once. */
  finish(): TradeResult {
    this.#closeRow(this.#grid.row_count)
    const columns = this.#columns
    for (let row = 0; row < this.#grid.row_count; row++) {
      if (columns.trade_count[row] === 0) columns.vwap[row] = columns.trade_imbalance[row] = NaN
      if (this.#blind[row] !== 1) continue
      for (const name of NAMES) columns[name][row] = NaN
    }
    return { columns, buy_volume: this.#buy_volume, sell_volume: this.#sell_volume }
  }

  #closeRow(next: number): void {
    const [row, columns] = [this.#row, this.#columns]
    const [bought, sold, notional] = [this.#bought.value, this.#sold.value, this.#notional.value]
    const volume = plus(bought, sold)
    columns.volume[row] = nearest(volume)
    this.#buy_volume.write(row, bought)
    this.#sell_volume.write(row, sold)
    columns.notional[row] = nearest(notional)
    columns.vwap[row] = vwap(notional, volume) ?? NaN
    columns.trade_imbalance[row] = tradeImbalance(bought, sold) ?? NaN
    for (const sum of [this.#bought, this.#sold, this.#notional]) sum.reset()
    this.#row = next
  }
}
