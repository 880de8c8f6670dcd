/**
 * A footprint bar: what was traded at each price within an interval. Bars are exact, so that a
 * longer interval and a coarser bin are sums of shorter and finer ones, bit for bit. Pure.
 */
import { compare, type Decimal, floorRatio, minus, plus, times, ZERO } from '../decimals.ts'
import type { Micros } from '../time.ts'

/** One bin of prices, [price, price + step) with the step of its bar. Quantities are exact. */
export interface Cell {
  /** Lowest price of the bin. */
  readonly price: Decimal
  /** Quantity that takers bought, and that they sold. */
  readonly buy_qty: Decimal
  readonly sell_qty: Decimal
  readonly buy_count: number
  readonly sell_count: number
}

export interface Bar {
  /** Start of the interval. */
  readonly ts: Micros
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  /**
   * Lowest and highest value of the running delta (bought minus sold quantity), which starts at 0:
   * min_delta <= 0 <= max_delta.
   */
  readonly min_delta: Decimal
  readonly max_delta: Decimal
  /** Bins in which something was traded, by price; at least one. */
  readonly cells: readonly Cell[]
}

/** Bought minus sold quantity. */
export function deltaOf(cells: readonly Cell[]): Decimal {
  return cells.reduce((sum, cell) => minus(plus(sum, cell.buy_qty), cell.sell_qty), ZERO)
}

export function volumeOf({ buy_qty, sell_qty }: Pick<Cell, 'buy_qty' | 'sell_qty'>): Decimal {
  return plus(buy_qty, sell_qty)
}

/** One bar of `bars`, which follow each other in time and have the same step; at least one. */
export function joinBars(ts: Micros, bars: readonly Bar[]): Bar {
  const [first, last] = [bars[0]!, bars.at(-1)!]
  let [min_delta, max_delta, delta] = [ZERO, ZERO, ZERO]
  for (const bar of bars) {
    min_delta = lower(min_delta, plus(delta, bar.min_delta))
    max_delta = higher(max_delta, plus(delta, bar.max_delta))
    delta = plus(delta, deltaOf(bar.cells))
  }
  return {
    ts,
    open: first.open,
    high: Math.max(...bars.map((bar) => bar.high)),
    low: Math.min(...bars.map((bar) => bar.low)),
    close: last.close,
    min_delta,
    max_delta,
    cells: mergeCells(bars.flatMap((bar) => bar.cells)),
  }
}

/** The bar with its cells in bins of `step`, a multiple of the step that it has. */
export function binBar(bar: Bar, step: Decimal): Bar {
  const cells = bar.cells.map((cell) => ({ ...cell, price: binOf(cell.price, step) }))
  return { ...bar, cells: mergeCells(cells) }
}

/** The lowest price of the bin that contains `price`. */
export function binOf(price: Decimal, step: Decimal): Decimal {
  return times({ units: floorRatio(price, step), digits: 0 }, step)
}

export function lower(a: Decimal, b: Decimal): Decimal {
  return compare(b, a) < 0 ? b : a
}

export function higher(a: Decimal, b: Decimal): Decimal {
  return compare(b, a) > 0 ? b : a
}

/** Adds up cells of equal price. */
function mergeCells(cells: readonly Cell[]): readonly Cell[] {
  const merged: Cell[] = []
  for (const cell of cells.toSorted((a, b) => compare(a.price, b.price))) {
    const last = merged.at(-1)
    if (last === undefined || compare(last.price, cell.price) !== 0) merged.push(cell)
    else merged[merged.length - 1] = sumOfCells(last, cell)
  }
  return merged
}

function sumOfCells(a: Cell, b: Cell): Cell {
  return {
    price: a.price,
    buy_qty: plus(a.buy_qty, b.buy_qty),
    sell_qty: plus(a.sell_qty, b.sell_qty),
    buy_count: a.buy_count + b.buy_count,
    sell_count: a.sell_count + b.sell_count,
  }
}
