/** A footprint bar as the API answers it and the live stream sends it: exact decimal text. Pure. */
import { decimalText, exactText } from '../decimal-text.ts'
import { type Decimal, decimalOf, plus, times } from '../decimals.ts'
import { toIso } from '../time.ts'
import { type Bar, binBar, type Cell } from './bar.ts'
import { type Figures, figuresOf } from './figures.ts'
import type { Interval } from './intervals.ts'

/** [price, buy_qty, sell_qty, buy_count, sell_count]; the price is the lowest of the bin. */
export type CellRow = readonly [string, string, string, number, number]

export interface ClusterRow {
  /** Start of the interval, ISO 8601. */
  readonly ts: string
  readonly interval: Interval
  readonly tick_size: string
  /** Ticks of a bin. */
  readonly bin_ticks: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly buy_volume: string
  readonly sell_volume: string
  readonly trade_count: number
  readonly delta: string
  /** Sum of the deltas from the start of the UTC day to the end of the bar. */
  readonly cum_delta: string
  readonly min_delta: string
  readonly max_delta: string
  readonly poc: string
  readonly value_area_low: string
  readonly value_area_high: string
  readonly is_unfinished_high: boolean
  readonly is_unfinished_low: boolean
  readonly buy_imbalances: readonly string[]
  readonly sell_imbalances: readonly string[]
  /** The interval is over, and no trade of it is known to be missing from the bar. */
  readonly is_final: boolean
  /** By price, ascending. */
  readonly cells: readonly CellRow[]
}

/** What the exchange's listing says about an instrument. */
export interface TickFacts {
  readonly tick_size: number
  readonly price_decimals: number | null
  readonly qty_decimals: number | null
}

export interface RowFacts {
  readonly interval: Interval
  readonly bin_ticks: number
  readonly cum_delta: Decimal
  readonly is_final: boolean
}

/** Width of a bin. */
export function stepOf({ tick_size }: TickFacts, bin_ticks: number): Decimal {
  return times({ units: bin_ticks, digits: 0 }, decimalOf(tick_size))
}

/** `bar` has finer bins, or bins as wide. */
export function clusterRow(bar: Bar, ticks: TickFacts, facts: RowFacts): ClusterRow {
  const { interval, bin_ticks, cum_delta, is_final } = facts
  const step = stepOf(ticks, bin_ticks)
  const binned = binBar(bar, step)
  const figures = figuresOf(binned, step)
  const price = (value: number): string => decimalText(value, ticks.price_decimals)
  const qty = (value: Decimal): string => exactText(value, ticks.qty_decimals)
  const exactPrice = (value: Decimal): string => exactText(value, ticks.price_decimals)
  return {
    ts: toIso(bar.ts),
    interval,
    tick_size: price(ticks.tick_size),
    bin_ticks,
    open: price(bar.open),
    high: price(bar.high),
    low: price(bar.low),
    close: price(bar.close),
    volume: qty(plus(figures.buy_volume, figures.sell_volume)),
    buy_volume: qty(figures.buy_volume),
    sell_volume: qty(figures.sell_volume),
    trade_count: figures.trade_count,
    delta: qty(figures.delta),
    cum_delta: qty(cum_delta),
    min_delta: qty(bar.min_delta),
    max_delta: qty(bar.max_delta),
    ...areaOf(figures, ticks),
    is_unfinished_high: figures.is_unfinished_high,
    is_unfinished_low: figures.is_unfinished_low,
    buy_imbalances: figures.buy_imbalances.map(exactPrice),
    sell_imbalances: figures.sell_imbalances.map(exactPrice),
    is_final,
    cells: cellRows(binned.cells, ticks),
  }
}

export function areaOf(
  { poc, value_area_low, value_area_high }: Figures,
  { price_decimals }: TickFacts,
): Pick<ClusterRow, 'poc' | 'value_area_low' | 'value_area_high'> {
  return {
    poc: exactText(poc, price_decimals),
    value_area_low: exactText(value_area_low, price_decimals),
    value_area_high: exactText(value_area_high, price_decimals),
  }
}

export function cellRows(
  cells: readonly Cell[],
  { price_decimals, qty_decimals }: TickFacts,
): readonly CellRow[] {
  return cells.map(({ price, buy_qty, sell_qty, buy_count, sell_count }) => [
    exactText(price, price_decimals),
    exactText(buy_qty, qty_decimals),
    exactText(sell_qty, qty_decimals),
    buy_count,
    sell_count,
  ])
}
