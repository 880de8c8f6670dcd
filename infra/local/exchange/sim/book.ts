/**
 * A limit order book by price levels, in whole ticks and steps. Both sides are arrays with the
 * best level last, so that what changes most is cheapest. Never crossed: setLevel refuses it.
 */
export type Side = 'bid' | 'ask'

/** Told of every level that changed; quantity 0 means it is gone. */
export type LevelListener = (side: Side, price: number, qty: number) => void

export class Book {
  readonly bids = new BookSide('bid')
  readonly asks = new BookSide('ask')
  /** Undefined while nobody wants to know. */
  onChange: LevelListener | undefined

  side(side: Side): BookSide {
    return side === 'bid' ? this.bids : this.asks
  }

  /** Puts `qty` at a price; 0 takes the level away. */
  setLevel(side: Side, price: number, qty: number): void {
    const crossed =
      side === 'bid'
        ? price >= this.asks.bestPrice(Infinity)
        : price <= this.bids.bestPrice(-Infinity)
    if (crossed && qty > 0) throw new RangeError(`A ${side} of ${price} would cross the book.`)
    this.side(side).set(price, qty)
    this.onChange?.(side, price, qty)
  }

  get spread(): number {
    return this.asks.bestPrice(Infinity) - this.bids.bestPrice(-Infinity)
  }
}

export class BookSide {
  /** Worst first. Bids ascend, asks descend. */
  readonly prices: number[] = []
  readonly qtys: number[] = []
  /** Makes prices ascend towards the best: 1 for bids, -1 for asks. */
  readonly sign: 1 | -1

  constructor(side: Side) {
    this.sign = side === 'bid' ? 1 : -1
  }

  get depth(): number {
    return this.prices.length
  }

  /** `none` where the side is empty. */
  bestPrice(none: number): number {
    return this.prices.at(-1) ?? none
  }

  bestQty(): number {
    return this.qtys.at(-1) ?? 0
  }

  /** Counted from the best, which is 0. */
  priceAt(rank: number): number {
    return this.prices[this.prices.length - 1 - rank]!
  }

  qtyAt(rank: number): number {
    return this.qtys[this.qtys.length - 1 - rank]!
  }

  set(price: number, qty: number): void {
    const at = this.#find(price)
    const is_there = this.prices[at] === price
    if (qty > 0 && is_there) this.qtys[at] = qty
    else if (qty > 0) {
      this.prices.splice(at, 0, price)
      this.qtys.splice(at, 0, qty)
    } else if (is_there) {
      this.prices.splice(at, 1)
      this.qtys.splice(at, 1)
    }
  }

  /** Where the price stands or would stand. Near the best, where most changes are, by steps. */
  #find(price: number): number {
    let at = this.prices.length
    while (at > 0 && (this.prices[at - 1]! - price) * this.sign >= 0) at -= 1
    return at
  }
}
