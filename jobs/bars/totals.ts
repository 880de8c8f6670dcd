/**
 * What a symbol traded in a day, or in its first hour: thresholds of bars follow from it. Sums are
 * exact until they are read. Pure.
 */
import { absolute, type Decimal, DecimalSum, minus, nearest, Scale } from '#core/decimals.ts'
import { SECOND_US } from '#core/time.ts'
import { AMOUNTS, type Amount } from './columns.ts'

/** Of one amount (count, quantity or value), over all trades that were added. */
export interface AmountTotals {
  readonly bought: number
  readonly sold: number
  /** Sum over clock minutes of |bought - sold| within the minute. */
  readonly minute_imbalance: number
}

/** Plain data. */
export interface Totals {
  readonly trade_count: number
  readonly of: Readonly<Record<Amount, AmountTotals>>
}

export interface BarTrade {
  /** Microseconds. */
  readonly ts: number
  readonly id: number
  readonly price: number
  readonly qty: number
  readonly is_buyer_maker: boolean
}

const MINUTE_US = 60 * SECOND_US

/** Bought and sold quantity and value of some trades, with the scales of their symbol. */
export class SideSums {
  readonly bought = [new DecimalSum(), new DecimalSum()] as const
  readonly sold = [new DecimalSum(), new DecimalSum()] as const
  bought_count = 0
  sold_count = 0

  add({ prices, qtys }: Scales, { price, qty, is_buyer_maker }: BarTrade): void {
    const [volume, value] = is_buyer_maker ? this.sold : this.bought
    volume.add(qtys, qty)
    value.addProduct(prices, price, qtys, qty)
    if (is_buyer_maker) this.sold_count += 1
    else this.bought_count += 1
  }

  /** [bought, sold] of an amount. */
  of(amount: Amount): readonly [Decimal, Decimal] {
    if (amount === 'tick') {
      return [
        { units: this.bought_count, digits: 0 },
        { units: this.sold_count, digits: 0 },
      ]
    }
    const place = amount === 'volume' ? 0 : 1
    return [this.bought[place].value, this.sold[place].value]
  }

  reset(): void {
    for (const sum of [...this.bought, ...this.sold]) sum.reset()
    this.bought_count = this.sold_count = 0
  }
}

export interface Scales {
  readonly prices: Scale
  readonly qtys: Scale
}

export class TotalsFold {
  readonly #scales: Scales = { prices: new Scale(), qtys: new Scale() }
  readonly #day = new SideSums()
  readonly #minute = new SideSums()
  readonly #imbalance: Record<Amount, number> = { tick: 0, volume: 0, dollar: 0 }
  #at = NaN

  add(trade: BarTrade): void {
    const minute = Math.floor(trade.ts / MINUTE_US)
    if (minute !== this.#at) this.#endMinute()
    this.#at = minute
    this.#day.add(this.#scales, trade)
    this.#minute.add(this.#scales, trade)
  }

  /** Call once. Undefined if there were no trades. */
  finish(): Totals | undefined {
    this.#endMinute()
    const trade_count = this.#day.bought_count + this.#day.sold_count
    if (trade_count === 0) return undefined
    const of = (amount: Amount): AmountTotals => {
      const [bought, sold] = this.#day.of(amount)
      return {
        bought: nearest(bought),
        sold: nearest(sold),
        minute_imbalance: this.#imbalance[amount],
      }
    }
    return {
      trade_count,
      of: { tick: of('tick'), volume: of('volume'), dollar: of('dollar') },
    }
  }

  #endMinute(): void {
    if (Number.isNaN(this.#at)) return
    for (const amount of AMOUNTS) {
      const [bought, sold] = this.#minute.of(amount)
      this.#imbalance[amount] += nearest(absolute(minus(bought, sold)))
    }
    this.#minute.reset()
    this.#at = NaN
  }
}
