/**
 * Folds a symbol's trades of a day into candles of every length. Minutes are folded from trades,
 * longer candles from minutes. Sums are exact. Pure.
 */
import { DecimalSum, nearest, plus, Scale, ZERO } from '#core/decimals.ts'
import { DAY_US, SECOND_US, type Micros } from '#core/time.ts'
import type { Columns } from '../day/grid-columns.ts'
import type { Grid } from '../day/grid.ts'
import { vwap } from '../formulas/formulas.ts'
import { INTERVALS_S } from './columns.ts'

/** Trades in the order of (ts_exchange, id). Arrays may be longer than `row_count`. */
export interface CandleTrades {
  readonly row_count: number
  readonly ts_exchange: Float64Array
  readonly price: Float64Array
  readonly qty: Float64Array
  /** 1: the taker sold. */
  readonly is_buyer_maker: Uint8Array
}

export interface Candles {
  /** Starts of the candles, shortest candles first. */
  readonly ts: BigInt64Array
  readonly columns: Columns<string>
}

const MINUTE_S = 60
const MINUTES = DAY_US / SECOND_US / MINUTE_S

export class CandleFold {
  readonly #from: Micros
  readonly #minutes: readonly Minute[] = Array.from({ length: MINUTES }, emptyMinute)
  readonly #prices = new Scale()
  readonly #qtys = new Scale()

  /** `from` is the start of the UTC day. */
  constructor(from: Micros) {
    this.#from = from
  }

  add({ row_count, ts_exchange, price, qty, is_buyer_maker }: CandleTrades): void {
    for (let i = 0; i < row_count; i++) {
      const minute = Math.floor((ts_exchange[i]! - this.#from) / (MINUTE_S * SECOND_US))
      const [p, q] = [price[i]!, qty[i]!]
      const { candle, bought, sold, notional } = this.#minutes[minute]!
      addPrices(candle, { open: p, high: p, low: p, close: p, trade_count: 1 })
      const volume = is_buyer_maker[i] === 1 ? sold : bought
      volume.add(this.#qtys, q)
      notional.addProduct(this.#prices, p, this.#qtys, q)
    }
  }

  /**
   * The candles that `grid` overlaps. The grid has one row per second; `blind` is 1 for a second
   * that was not fully recorded.
   */
  finish(grid: Grid, blind: Uint8Array): Candles {
    const recorded = recordedSeconds(this.#from, grid, blind)
    const first_s = (grid.from - this.#from) / SECOND_US
    const last_s = first_s + grid.row_count - 1
    const rows = INTERVALS_S.flatMap((interval_s) => {
      const first = Math.floor(first_s / interval_s)
      const last = Math.floor(last_s / interval_s)
      return Array.from({ length: last - first + 1 }, (_, i) =>
        this.#rowOf((first + i) * interval_s, interval_s, recorded),
      )
    })
    const ts = BigInt64Array.from(rows, ({ start_s }) => BigInt(this.#from + start_s * SECOND_US))
    const names = Object.keys(rows[0]!.values) as (keyof CandleRow)[]
    const columns = Object.fromEntries(
      names.map((name) => [name, Float64Array.from(rows, ({ values }) => values[name])]),
    )
    return { ts, columns }
  }

  #rowOf(
    start_s: number,
    interval_s: number,
    recorded: Uint32Array,
  ): { readonly start_s: number; readonly values: CandleRow } {
    const candle = emptyPrices()
    let [bought, sold, notional] = [ZERO, ZERO, ZERO]
    const minute = start_s / MINUTE_S
    for (const part of this.#minutes.slice(minute, minute + interval_s / MINUTE_S)) {
      if (part.candle.trade_count === 0) continue
      addPrices(candle, part.candle)
      bought = plus(bought, part.bought.value)
      sold = plus(sold, part.sold.value)
      notional = plus(notional, part.notional.value)
    }
    const volume = plus(bought, sold)
    const known: Candle = {
      open: candle.open,
      high: candle.high,
      low: candle.low,
      close: candle.close,
      volume: nearest(volume),
      buy_volume: nearest(bought),
      sell_volume: nearest(sold),
      notional: nearest(notional),
      trade_count: candle.trade_count,
      vwap: vwap(notional, volume) ?? NaN,
    }
    const recorded_s = recorded[start_s + interval_s]! - recorded[start_s]!
    const missing_s = interval_s - recorded_s
    const unknown = { ...known }
    for (const name of Object.keys(unknown) as (keyof typeof unknown)[]) unknown[name] = NaN
    return { start_s, values: { interval_s, ...(recorded_s === 0 ? unknown : known), missing_s } }
  }
}

interface Prices {
  open: number
  high: number
  low: number
  close: number
  trade_count: number
}

interface Minute {
  readonly candle: Prices
  readonly bought: DecimalSum
  readonly sold: DecimalSum
  readonly notional: DecimalSum
}

interface Candle extends Prices {
  volume: number
  buy_volume: number
  sell_volume: number
  notional: number
  vwap: number
}

type CandleRow = Readonly<Candle> & {
  readonly interval_s: number
  readonly missing_s: number
}

function emptyMinute(): Minute {
  const [bought, sold, notional] = [new DecimalSum(), new DecimalSum(), new DecimalSum()]
  return { candle: emptyPrices(), bought, sold, notional }
}

function emptyPrices(): Prices {
  return { open: NaN, high: NaN, low: NaN, close: NaN, trade_count: 0 }
}

/** All trades of `later` must come after those of the candle. */
function addPrices(candle: Prices, later: Readonly<Prices>): void {
  if (candle.trade_count === 0) candle.open = later.open
  candle.high = candle.trade_count === 0 ? later.high : Math.max(candle.high, later.high)
  candle.low = candle.trade_count === 0 ? later.low : Math.min(candle.low, later.low)
  candle.close = later.close
  candle.trade_count += later.trade_count
}

/** Entry n: number of recorded seconds among the first n of the day. */
function recordedSeconds(day_from: Micros, grid: Grid, blind: Uint8Array): Uint32Array {
  const first = (grid.from - day_from) / SECOND_US
  const recorded = new Uint32Array(DAY_US / SECOND_US + 1)
  for (let second = 0; second < recorded.length - 1; second++) {
    const row = second - first
    const is_recorded = row >= 0 && row < grid.row_count && blind[row] === 0
    recorded[second + 1] = recorded[second]! + (is_recorded ? 1 : 0)
  }
  return recorded
}
