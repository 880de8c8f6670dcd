/** Folds trades into footprint bars, at every price that the exchange has. Pure. */
import { type Decimal, decimalOf, minus, plus, Scale, ZERO } from '../decimals.ts'
import { micros, type Micros } from '../time.ts'
import { type Bar, type Cell, higher, lower } from './bar.ts'

interface OpenBar extends Omit<Bar, 'cells'> {
  high: number
  low: number
  close: number
  min_delta: Decimal
  max_delta: Decimal
  readonly cells: Map<number, OpenCell>
}

type OpenCell = { -readonly [key in keyof Cell]: Cell[key] }

/** Takes one symbol's trades in the order of (ts_exchange, id). */
export class TradeFold {
  readonly #interval_us: number
  readonly #qtys = new Scale()
  readonly #bars: Bar[] = []
  #open: OpenBar | undefined
  #delta = ZERO

  constructor(interval_us: number) {
    this.#interval_us = interval_us
  }

  add(ts_exchange: Micros, price: number, qty: number, is_buyer_maker: boolean): void {
    const ts = micros(ts_exchange - (ts_exchange % this.#interval_us))
    if (this.#open?.ts !== ts) this.#begin(ts, price)
    const bar = this.#open!
    bar.high = Math.max(bar.high, price)
    bar.low = Math.min(bar.low, price)
    bar.close = price
    const exact = this.#qtyOf(qty)
    const cell = cellOf(bar, price)
    if (is_buyer_maker) {
      cell.sell_qty = plus(cell.sell_qty, exact)
      cell.sell_count++
      this.#delta = minus(this.#delta, exact)
      bar.min_delta = lower(bar.min_delta, this.#delta)
    } else {
      cell.buy_qty = plus(cell.buy_qty, exact)
      cell.buy_count++
      this.#delta = plus(this.#delta, exact)
      bar.max_delta = higher(bar.max_delta, this.#delta)
    }
  }

  /** The bars since the last call; the next trade starts a new bar. */
  take(): readonly Bar[] {
    this.#end()
    return this.#bars.splice(0)
  }

  #qtyOf(qty: number): Decimal {
    const units = this.#qtys.unitsOf(qty)
    return Number.isNaN(units) ? decimalOf(qty) : { units, digits: this.#qtys.digits }
  }

  #begin(ts: Micros, price: number): void {
    this.#end()
    this.#delta = ZERO
    const prices = { open: price, high: price, low: price, close: price }
    this.#open = { ts, ...prices, min_delta: ZERO, max_delta: ZERO, cells: new Map() }
  }

  #end(): void {
    if (this.#open === undefined) return
    const cells = [...this.#open.cells].toSorted(([a], [b]) => a - b).map(([, cell]) => cell)
    this.#bars.push({ ...this.#open, cells })
    this.#open = undefined
  }
}

function cellOf({ cells }: OpenBar, price: number): OpenCell {
  const found = cells.get(price)
  if (found !== undefined) return found
  const cell: OpenCell = {
    price: decimalOf(price),
    buy_qty: ZERO,
    sell_qty: ZERO,
    buy_count: 0,
    sell_count: 0,
  }
  cells.set(price, cell)
  return cell
}
