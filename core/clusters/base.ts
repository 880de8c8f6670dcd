/**
 * A minute of one symbol as it is stored (marketdata.clusters) and published (dataset clusters):
 * every price at which something was traded, in arrays of doubles. Each double is the nearest to an
 * exact sum; sums of up to 15 significant digits come back from it exactly. Pure.
 */
import { decimalOf, nearest, plus, ZERO } from '../decimals.ts'
import { micros, type Micros } from '../time.ts'
import type { Bar, Cell } from './bar.ts'
import { TradeFold } from './fold-trades.ts'
import { MINUTE_US } from './intervals.ts'

/** All arrays are as long as `price`, which ascends. Nothing was traded: they are empty. */
export interface BaseMinute {
  readonly ts: Micros
  /** Null if nothing was traded. */
  readonly open: number | null
  readonly high: number | null
  readonly low: number | null
  readonly close: number | null
  readonly buy_volume: number
  readonly sell_volume: number
  readonly min_delta: number
  readonly max_delta: number
  readonly price: readonly number[]
  readonly buy_qty: readonly number[]
  readonly sell_qty: readonly number[]
  readonly buy_count: readonly number[]
  readonly sell_count: readonly number[]
}

/** Trades in the order of (ts_exchange, id); arrays may be longer than `row_count`. */
export interface TradeColumns {
  readonly row_count: number
  readonly ts_exchange: ArrayLike<number>
  readonly price: ArrayLike<number>
  readonly qty: ArrayLike<number>
  /** 1: the taker sold. */
  readonly is_buyer_maker: ArrayLike<number>
}

/** Folds one symbol's trades, in order, into minutes. Minutes without trades are left out. */
export class BaseFold {
  readonly #fold = new TradeFold(MINUTE_US)

  add({ row_count, ts_exchange, price, qty, is_buyer_maker }: TradeColumns): void {
    for (let row = 0; row < row_count; row++) {
      const ts = micros(ts_exchange[row]!)
      this.#fold.add(ts, price[row]!, qty[row]!, is_buyer_maker[row] === 1)
    }
  }

  /** The minutes since the last call. */
  take(): readonly BaseMinute[] {
    return this.#fold.take().map(baseOf)
  }
}

export function emptyMinute(ts: Micros): BaseMinute {
  return {
    ts,
    open: null,
    high: null,
    low: null,
    close: null,
    buy_volume: 0,
    sell_volume: 0,
    min_delta: 0,
    max_delta: 0,
    price: [],
    buy_qty: [],
    sell_qty: [],
    buy_count: [],
    sell_count: [],
  }
}

/** Undefined if nothing was traded. */
export function barOfBase(base: BaseMinute): Bar | undefined {
  const { ts, open, high, low, close } = base
  if (open === null || high === null || low === null || close === null) return undefined
  const cells = base.price.map((price, i): Cell => {
    return {
      price: decimalOf(price),
      buy_qty: decimalOf(base.buy_qty[i]!),
      sell_qty: decimalOf(base.sell_qty[i]!),
      buy_count: base.buy_count[i]!,
      sell_count: base.sell_count[i]!,
    }
  })
  const [min_delta, max_delta] = [decimalOf(base.min_delta), decimalOf(base.max_delta)]
  return { ts, open, high, low, close, min_delta, max_delta, cells }
}

function baseOf({ cells, min_delta, max_delta, ...bar }: Bar): BaseMinute {
  return {
    ...bar,
    min_delta: nearest(min_delta),
    max_delta: nearest(max_delta),
    buy_volume: nearest(cells.reduce((sum, { buy_qty }) => plus(sum, buy_qty), ZERO)),
    sell_volume: nearest(cells.reduce((sum, { sell_qty }) => plus(sum, sell_qty), ZERO)),
    price: cells.map(({ price }) => nearest(price)),
    buy_qty: cells.map(({ buy_qty }) => nearest(buy_qty)),
    sell_qty: cells.map(({ sell_qty }) => nearest(sell_qty)),
    buy_count: cells.map(({ buy_count }) => buy_count),
    sell_count: cells.map(({ sell_count }) => sell_count),
  }
}
