/**
 * How much ends a bar of a kind. Imbalance and run bars adapt after every bar; everything else is
 * known when the day begins. Doubles, in a fixed order of operations, so that every engine finds
 * the same. Pure.
 *
 * López de Prado (2018), chapter 2.3. One difference: the expected imbalance is the average of its
 * size |sum b w| / T, not the size of an average with signs. With signs, bars of alternating sides
 * bring the threshold to 0, and every trade ends a bar.
 */
import { BAR_PARAMETERS, type BarKind } from './columns.ts'
import type { Totals } from './totals.ts'

/** A finished bar: trades, and what they bought, sold and reached by the kind's amount. */
export interface BarLength {
  readonly trade_count: number
  /** Bought / trade_count, and so on. */
  readonly mean_bought: number
  readonly mean_sold: number
  readonly mean_imbalance: number
}

const ALPHA = 2 / (BAR_PARAMETERS.ewma_span_bars + 1)

export class Threshold {
  readonly #kind: BarKind
  readonly #fixed: number
  #length: Average
  #bought: Average
  #sold: Average
  #imbalance: Average

  /** `days`: the part of a day that `totals` were traded in. */
  constructor(kind: BarKind, { trade_count, of }: Totals, days: number) {
    const { bought, sold, minute_imbalance } = of[kind.amount]
    const bar_count = BAR_PARAMETERS.bars_per_day * days
    this.#kind = kind
    this.#fixed = (bought + sold) / bar_count
    this.#length = new Average(trade_count / bar_count)
    this.#bought = new Average(bought / trade_count)
    this.#sold = new Average(sold / trade_count)
    // Minutes that are all balanced to the last lot would make every trade a bar.
    const imbalance = minute_imbalance === 0 ? bought + sold : minute_imbalance
    this.#imbalance = new Average(imbalance / trade_count)
  }

  get value(): number {
    switch (this.#kind.rule) {
      case 'standard':
        return this.#fixed
      case 'imbalance':
        return this.#length.value * this.#imbalance.value
      case 'run':
        return this.#length.value * Math.max(this.#bought.value, this.#sold.value)
    }
  }

  learn({ trade_count, mean_bought, mean_sold, mean_imbalance }: BarLength): void {
    this.#length.add(trade_count)
    this.#bought.add(mean_bought)
    this.#sold.add(mean_sold)
    this.#imbalance.add(mean_imbalance)
  }
}

/** An exponentially weighted average that stays near its first value. */
class Average {
  readonly #low: number
  readonly #high: number
  value: number

  constructor(first: number) {
    this.value = first
    this.#low = first / BAR_PARAMETERS.ewma_range
    this.#high = first * BAR_PARAMETERS.ewma_range
  }

  add(next: number): void {
    const moved = this.value + ALPHA * (next - this.value)
    this.value = Math.min(this.#high, Math.max(this.#low, moved))
  }
}
