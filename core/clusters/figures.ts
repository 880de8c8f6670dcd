/**
 * What a footprint bar says: point of control, value area, imbalances, unfinished auctions. Pure.
 */
import {
  absolute,
  compare,
  type Decimal,
  decimalOf,
  half,
  minus,
  plus,
  times,
  ZERO,
} from '../decimals.ts'
import { type Bar, type Cell, deltaOf, volumeOf } from './bar.ts'

export interface Figures {
  readonly buy_volume: Decimal
  readonly sell_volume: Decimal
  /** Bought minus sold quantity. */
  readonly delta: Decimal
  readonly trade_count: number
  /** Point of control: the bin with the greatest volume. */
  readonly poc: Decimal
  /** Lowest bin of the value area, and its highest. */
  readonly value_area_low: Decimal
  readonly value_area_high: Decimal
  /** Bins whose buyers, or sellers, outweigh the other side of the diagonal. */
  readonly buy_imbalances: readonly Decimal[]
  readonly sell_imbalances: readonly Decimal[]
  /** Both sides traded in the highest bin, or in the lowest. */
  readonly is_unfinished_high: boolean
  readonly is_unfinished_low: boolean
}

/** 70 %, as the CBOT's market profile has it. */
const VALUE_AREA: Decimal = { units: 7, digits: 1 }
export const IMBALANCE_RATIO: Decimal = { units: 3, digits: 0 }

/** `step` is the width of the bar's bins. */
export function figuresOf(bar: Bar, step: Decimal, ratio = IMBALANCE_RATIO): Figures {
  const { cells } = bar
  const [lowest, highest] = [cells[0]!, cells.at(-1)!]
  const poc = pocOf(bar, step)
  const area = valueArea(cells, poc)
  return {
    buy_volume: cells.reduce((sum, { buy_qty }) => plus(sum, buy_qty), ZERO),
    sell_volume: cells.reduce((sum, { sell_qty }) => plus(sum, sell_qty), ZERO),
    delta: deltaOf(cells),
    trade_count: cells.reduce((sum, cell) => sum + cell.buy_count + cell.sell_count, 0),
    poc: cells[poc]!.price,
    value_area_low: cells[area.low]!.price,
    value_area_high: cells[area.high]!.price,
    ...imbalances(cells, step, ratio),
    is_unfinished_high: isTwoSided(highest),
    is_unfinished_low: isTwoSided(lowest),
  }
}

/**
 * Place of the bin with the greatest volume. Of equal ones, the bin whose centre is nearest to
 * (high + low) / 2; of two equally near, the lower.
 */
function pocOf({ cells, high, low }: Bar, step: Decimal): number {
  const middle = half(plus(decimalOf(high), decimalOf(low)))
  const distance = ({ price }: Cell): Decimal => absolute(minus(plus(price, half(step)), middle))
  let best = 0
  for (const [i, cell] of cells.entries()) {
    const order = compare(volumeOf(cell), volumeOf(cells[best]!))
    const is_better =
      order > 0 || (order === 0 && compare(distance(cell), distance(cells[best]!)) < 0)
    if (is_better) best = i
  }
  return best
}

/**
 * The CBOT's rule with two bins: starting at the point of control, add the two next bins above or
 * the two below, whichever traded more, until 70 % of the volume is inside. Of equal pairs the
 * upper one is added. Bins without trades do not count as bins. Where one side has no bins left,
 * the other is added.
 */
function valueArea(
  cells: readonly Cell[],
  poc: number,
): { readonly low: number; readonly high: number } {
  const total = cells.reduce((sum, cell) => plus(sum, volumeOf(cell)), ZERO)
  const wanted = times(total, VALUE_AREA)
  const sumOf = (from: number, to: number): Decimal =>
    cells.slice(Math.max(0, from), to).reduce((sum, cell) => plus(sum, volumeOf(cell)), ZERO)
  let [low, high] = [poc, poc]
  let inside = volumeOf(cells[poc]!)
  while (compare(inside, wanted) < 0) {
    const [above, below] = [sumOf(high + 1, high + 3), sumOf(low - 2, low)]
    const takes_above = high < cells.length - 1 && (low === 0 || compare(above, below) >= 0)
    inside = plus(inside, takes_above ? above : below)
    if (takes_above) high = Math.min(high + 2, cells.length - 1)
    else low = Math.max(low - 2, 0)
  }
  return { low, high }
}

/**
 * Diagonal imbalances. Buyers lift the ask one bin above the bid that sellers hit, so a bin's
 * bought quantity is compared with the quantity sold in the bin below it: an imbalance of buyers
 * where bought >= ratio x sold and bought > 0. A bin without trades inside the bar counts as 0;
 * outside the bar there is nothing to compare with.
 */
function imbalances(
  cells: readonly Cell[],
  step: Decimal,
  ratio: Decimal,
): Pick<Figures, 'buy_imbalances' | 'sell_imbalances'> {
  const buy_imbalances: Decimal[] = []
  const sell_imbalances: Decimal[] = []
  const outweighs = (a: Decimal, b: Decimal): boolean =>
    compare(a, ZERO) > 0 && compare(a, times(b, ratio)) >= 0
  for (const [i, cell] of cells.entries()) {
    const [below, above] = [cells[i - 1], cells[i + 1]]
    const is_next = (a: Cell, b: Cell): boolean => compare(plus(a.price, step), b.price) === 0
    if (below !== undefined) {
      const sold = is_next(below, cell) ? below.sell_qty : ZERO
      if (outweighs(cell.buy_qty, sold)) buy_imbalances.push(cell.price)
    }
    if (above !== undefined) {
      const bought = is_next(cell, above) ? above.buy_qty : ZERO
      if (outweighs(cell.sell_qty, bought)) sell_imbalances.push(cell.price)
    }
  }
  return { buy_imbalances, sell_imbalances }
}

function isTwoSided({ buy_qty, sell_qty }: Cell): boolean {
  return compare(buy_qty, ZERO) > 0 && compare(sell_qty, ZERO) > 0
}
