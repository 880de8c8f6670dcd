/** Footprint bars of the API and of the live stream, in the form that is drawn. */
import { type Bar, type Cell, binOf } from '#core/clusters/bar.ts'
import { figuresOf } from '#core/clusters/figures.ts'
import { type Decimal, decimalOf, nearest, plus, times } from '#core/decimals.ts'
import { DAY_US, HOUR_US, micros } from '#core/time.ts'
import type { Cluster } from '../../client/api.ts'
import type { Interval } from '../view/view.ts'
import { askAll } from './api.ts'
import { microsOf } from './candles.ts'
import { addressOf, type Instrument } from './instrument.ts'

/** Flags of a cell. */
export const BUY_IMBALANCE = 1
export const SELL_IMBALANCE = 2
export const POINT_OF_CONTROL = 4
export const IN_VALUE_AREA = 8

/** Cells by price; a cell covers [price, price + step). */
export interface Footprint {
  readonly ts: number
  readonly bin_ticks: number
  readonly step: number
  readonly price: Float64Array
  readonly buy: Float64Array
  readonly sell: Float64Array
  readonly flags: Uint8Array
  readonly delta: number
  readonly volume: number
  readonly min_delta: number
  readonly max_delta: number
  /** Of one cell. */
  readonly volume_max: number
  readonly delta_max: number
  readonly is_unfinished_high: boolean
  readonly is_unfinished_low: boolean
}

/** Blocks are small, because a bar has many cells. */
export const CLUSTER_SPAN_US: { readonly [interval in Interval]: number } = {
  '1m': HOUR_US,
  '5m': 4 * HOUR_US,
  '15m': 12 * HOUR_US,
  '1h': 2 * DAY_US,
  '4h': 8 * DAY_US,
  '1d': 30 * DAY_US,
}

/** `bin` 0: automatic. */
function askRows(
  instrument: Instrument,
  interval: Interval,
  bin: number,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Cluster[]> {
  const { path, query } = addressOf(instrument)
  const asked = `interval=${interval}&bin=${bin === 0 ? 'auto' : bin}&from=${from}&to=${to}&limit=1000`
  return askAll<Cluster>(`/v1/clusters/${path}?${query}&${asked}`, signal)
}

export async function askFootprints(
  ...args: Parameters<typeof askRows>
): Promise<readonly Footprint[]> {
  return (await askRows(...args)).map(footprintOfRow)
}

/** For sums: exact, in bins of `bin_ticks`. */
export async function askBars(...args: Parameters<typeof askRows>): Promise<readonly Bar[]> {
  const exact = (text: string): Decimal => decimalOf(Number(text))
  return (await askRows(...args)).map((row) => ({
    ts: micros(microsOf(row.ts)),
    open: Number(row.open),
    high: Number(row.high),
    low: Number(row.low),
    close: Number(row.close),
    min_delta: exact(row.min_delta),
    max_delta: exact(row.max_delta),
    cells: row.cells.map(([price, buy, sell, buy_count, sell_count]): Cell => ({
      price: exact(price),
      buy_qty: exact(buy),
      sell_qty: exact(sell),
      buy_count,
      sell_count,
    })),
  }))
}

export function footprintOfRow(row: Cluster): Footprint {
  const price = Float64Array.from(row.cells, ([text]) => Number(text))
  const numbers = (texts: readonly string[]): readonly number[] => texts.map(Number)
  return footprint({
    ts: microsOf(row.ts),
    bin_ticks: row.bin_ticks,
    step: nearest(stepOf(row.tick_size, row.bin_ticks)),
    price,
    buy: Float64Array.from(row.cells, ([, text]) => Number(text)),
    sell: Float64Array.from(row.cells, ([, , text]) => Number(text)),
    buy_imbalances: numbers(row.buy_imbalances),
    sell_imbalances: numbers(row.sell_imbalances),
    poc: Number(row.poc),
    value_area_low: Number(row.value_area_low),
    value_area_high: Number(row.value_area_high),
    delta: Number(row.delta),
    volume: Number(row.volume),
    min_delta: Number(row.min_delta),
    max_delta: Number(row.max_delta),
    is_unfinished_high: row.is_unfinished_high,
    is_unfinished_low: row.is_unfinished_low,
  })
}

/** `bar` has bins of `bin_ticks`. */
export function footprintOfBar(bar: Bar, tick_size: string, bin_ticks: number): Footprint {
  const step = stepOf(tick_size, bin_ticks)
  const figures = figuresOf(bar, step)
  const { cells } = bar
  return footprint({
    ts: bar.ts,
    bin_ticks,
    step: nearest(step),
    price: Float64Array.from(cells, (cell) => nearest(cell.price)),
    buy: Float64Array.from(cells, (cell) => nearest(cell.buy_qty)),
    sell: Float64Array.from(cells, (cell) => nearest(cell.sell_qty)),
    buy_imbalances: figures.buy_imbalances.map(nearest),
    sell_imbalances: figures.sell_imbalances.map(nearest),
    poc: nearest(figures.poc),
    value_area_low: nearest(figures.value_area_low),
    value_area_high: nearest(figures.value_area_high),
    delta: nearest(figures.delta),
    volume: nearest(plus(figures.buy_volume, figures.sell_volume)),
    min_delta: nearest(bar.min_delta),
    max_delta: nearest(bar.max_delta),
    is_unfinished_high: figures.is_unfinished_high,
    is_unfinished_low: figures.is_unfinished_low,
  })
}

export function stepOf(tick_size: string, bin_ticks: number): Decimal {
  return times(decimalOf(Number(tick_size)), { units: bin_ticks, digits: 0 })
}

interface Figures extends Omit<Footprint, 'flags' | 'volume_max' | 'delta_max'> {
  readonly buy_imbalances: readonly number[]
  readonly sell_imbalances: readonly number[]
  readonly poc: number
  readonly value_area_low: number
  readonly value_area_high: number
}

function footprint(figures: Figures): Footprint {
  const { buy_imbalances, sell_imbalances, poc, value_area_low, value_area_high, ...rest } = figures
  const { price, buy, sell } = rest
  const flags = new Uint8Array(price.length)
  const bought = new Set(buy_imbalances)
  const sold = new Set(sell_imbalances)
  let [volume_max, delta_max] = [0, 0]
  for (let i = 0; i < price.length; i++) {
    const at = price[i]!
    volume_max = Math.max(volume_max, buy[i]! + sell[i]!)
    delta_max = Math.max(delta_max, Math.abs(buy[i]! - sell[i]!))
    flags[i] =
      (bought.has(at) ? BUY_IMBALANCE : 0) |
      (sold.has(at) ? SELL_IMBALANCE : 0) |
      (at === poc ? POINT_OF_CONTROL : 0) |
      (at >= value_area_low && at <= value_area_high ? IN_VALUE_AREA : 0)
  }
  return { ...rest, flags, volume_max, delta_max }
}

/** A bar without cells of its own: its volume is at the bin of its close. */
export function barOfSums(
  candle: {
    readonly ts: number
    readonly open: number
    readonly high: number
    readonly low: number
    readonly close: number
    readonly buy_volume: number
    readonly sell_volume: number
    readonly trade_count: number
  },
  step: Decimal,
): Bar {
  const { ts, open, high, low, close, buy_volume, sell_volume, trade_count } = candle
  const zero = decimalOf(0)
  const cell: Cell = {
    price: binOf(decimalOf(close), step),
    buy_qty: decimalOf(buy_volume),
    sell_qty: decimalOf(sell_volume),
    buy_count: trade_count,
    sell_count: 0,
  }
  return { ts: micros(ts), open, high, low, close, min_delta: zero, max_delta: zero, cells: [cell] }
}
