/**
 * Folds a symbol's trades of a day into bars of every kind. A bar ends with the trade that reaches
 * the threshold, and the next begins with the trade after it. An unrepaired gap abandons the bars
 * that it touches; the last bars of the day have not ended and are left out. Sums are exact. Pure.
 */
import {
  absolute,
  compare,
  decimalOf,
  minus,
  nearest,
  plus,
  quotient,
  Scale,
} from '#core/decimals.ts'
import type { Decimal } from '#core/decimals.ts'
import { DAY_US, SECOND_US } from '#core/time.ts'
import { type Cut, isAfterCut } from '../day/gaps.ts'
import { vwap } from '../formulas/formulas.ts'
import { BAR_KINDS, BAR_PARAMETERS, type BarKind } from './columns.ts'
import { Threshold } from './thresholds.ts'
import { type BarTrade, type Scales, SideSums, type Totals, TotalsFold } from './totals.ts'

/** Times in microseconds, ids and names as in the registry. */
export interface Bar {
  readonly ts: number
  readonly start_ts: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly buy_volume: number
  readonly sell_volume: number
  readonly notional: number
  readonly trade_count: number
  readonly vwap: number
  readonly first_trade_id: number
  readonly last_trade_id: number
  readonly reached: number
  readonly threshold: number
}

const WARM_UP_US = BAR_PARAMETERS.warm_up_s * SECOND_US
/** A running sum of doubles errs by less than this part of itself. */
const SLACK = 1e-6

export class BarFold {
  readonly #cuts: readonly Cut[]
  readonly #scales: Scales = { prices: new Scale(), qtys: new Scale() }
  readonly #totals = new TotalsFold()
  #open: readonly OpenBar[] | undefined
  #warm_up: { readonly from: number; readonly fold: TotalsFold } | undefined
  #next_cut = 0

  /** `before`: what the day before traded; undefined if it was not built. */
  constructor(before: Totals | undefined, cuts: readonly Cut[]) {
    this.#cuts = cuts
    if (before !== undefined) this.#begin(before, 1)
  }

  /** In the order of (ts, id). */
  add(trade: BarTrade): void {
    this.#totals.add(trade)
    if (this.#open === undefined && !this.#isWarm(trade)) return
    if (this.#isCut(trade)) for (const bar of this.#open!) bar.abandon()
    for (const bar of this.#open!) bar.add(this.#scales, trade)
  }

  /** Bars by kind in the order of BAR_KINDS, and what the next day's thresholds follow from. */
  finish(): { readonly bars: readonly (readonly Bar[])[]; readonly totals: Totals | undefined } {
    return {
      bars: this.#open?.map(({ bars }) => bars) ?? BAR_KINDS.map(() => []),
      totals: this.#totals.finish(),
    }
  }

  /** True once the first seconds of trades have shown what to expect. */
  #isWarm(trade: BarTrade): boolean {
    this.#warm_up ??= { from: trade.ts, fold: new TotalsFold() }
    const { from, fold } = this.#warm_up
    if (trade.ts < from + WARM_UP_US) {
      fold.add(trade)
      return false
    }
    this.#begin(fold.finish()!, WARM_UP_US / DAY_US)
    return true
  }

  #begin(totals: Totals, days: number): void {
    this.#open = BAR_KINDS.map((kind) => new OpenBar(kind, new Threshold(kind, totals, days)))
  }

  #isCut({ ts, id }: BarTrade): boolean {
    const first = this.#next_cut
    while (this.#next_cut < this.#cuts.length && isAfterCut(this.#cuts[this.#next_cut]!, ts, id)) {
      this.#next_cut += 1
    }
    return this.#next_cut > first
  }
}

class OpenBar {
  readonly bars: Bar[] = []
  readonly #kind: BarKind
  readonly #threshold: Threshold
  readonly #sums = new SideSums()
  /** Of the kind's amount, not exact: they only say when to look closely. */
  #about_bought = 0
  #about_sold = 0
  #target: number
  #first: BarTrade | undefined
  #high = NaN
  #low = NaN

  constructor(kind: BarKind, threshold: Threshold) {
    this.#kind = kind
    this.#threshold = threshold
    this.#target = threshold.value
  }

  abandon(): void {
    this.#first = undefined
    this.#about_bought = this.#about_sold = 0
    this.#sums.reset()
  }

  add(scales: Scales, trade: BarTrade): void {
    const { price, qty, is_buyer_maker } = trade
    if (this.#first === undefined) {
      this.#first = trade
      this.#high = this.#low = price
    } else if (price > this.#high) this.#high = price
    else if (price < this.#low) this.#low = price
    this.#sums.add(scales, trade)
    const { amount } = this.#kind
    const weight = amount === 'tick' ? 1 : amount === 'volume' ? qty : price * qty
    if (is_buyer_maker) this.#about_sold += weight
    else this.#about_bought += weight
    const both = this.#about_bought + this.#about_sold
    if (this.#about() < this.#target - SLACK * both) return
    const [bought, sold] = this.#sums.of(amount)
    const reached = this.#reached(bought, sold)
    if (compare(reached, decimalOf(this.#target)) < 0) return
    this.#end(trade, reached, bought, sold)
  }

  #about(): number {
    switch (this.#kind.rule) {
      case 'standard':
        return this.#about_bought + this.#about_sold
      case 'imbalance':
        return Math.abs(this.#about_bought - this.#about_sold)
      case 'run':
        return Math.max(this.#about_bought, this.#about_sold)
    }
  }

  #reached(bought: Decimal, sold: Decimal): Decimal {
    switch (this.#kind.rule) {
      case 'standard':
        return plus(bought, sold)
      case 'imbalance':
        return absolute(minus(bought, sold))
      case 'run':
        return compare(bought, sold) >= 0 ? bought : sold
    }
  }

  #end(last: BarTrade, reached: Decimal, bought: Decimal, sold: Decimal): void {
    const first = this.#first!
    const [buy_volume, sell_volume] = this.#sums.of('volume')
    const [buy_value, sell_value] = this.#sums.of('dollar')
    const volume = plus(buy_volume, sell_volume)
    const notional = plus(buy_value, sell_value)
    const trade_count = this.#sums.bought_count + this.#sums.sold_count
    this.bars.push({
      ts: last.ts,
      start_ts: first.ts,
      open: first.price,
      high: this.#high,
      low: this.#low,
      close: last.price,
      volume: nearest(volume),
      buy_volume: nearest(buy_volume),
      sell_volume: nearest(sell_volume),
      notional: nearest(notional),
      trade_count,
      vwap: vwap(notional, volume) ?? NaN,
      first_trade_id: first.id,
      last_trade_id: last.id,
      reached: nearest(reached),
      threshold: this.#target,
    })
    const count = { units: trade_count, digits: 0 }
    this.#threshold.learn({
      trade_count,
      mean_bought: quotient(bought, count),
      mean_sold: quotient(sold, count),
      mean_imbalance: quotient(absolute(minus(bought, sold)), count),
    })
    this.#target = this.#threshold.value
    this.abandon()
  }
}
