/**
 * A limit order book by price level, in whole ticks and steps. Each side is an array with the best
 * level last, so that the most frequent changes are the cheapest. setLevel refuses to cross the
 * book.
 */
export type Side = 'bid' | 'ask'

/** Called for every changed level; quantity 0 means removed. */
export type LevelListener = (side: Side, price: number, qty: number) => void

export class Book {
  readonly bids = new BookSide('bid')
  readonly asks = new BookSide('ask')
  /** Undefined while no depth stream is subscribed. */
  onChange: LevelListener | undefined

  side(side: Side): BookSide {
    return side === 'bid' ? this.bids : this.asks
  }

  /** Sets the quantity at a price; 0 removes the level. */
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
  /** Makes prices ascend towards the best level: 1 for bids, -1 for asks. */
  readonly sign: 1 | -1

  constructor(side: Side) {
    this.sign = side === 'bid' ? 1 : -1
  }

  get depth(): number {
    return this.prices.length
  }

  /** Returns `none` if the side is empty. */
  bestPrice(none: number): number {
    return this.prices.at(-1) ?? none
  }

  bestQty(): number {
    return this.qtys.at(-1) ?? 0
  }

  /** Rank 0 is the best level. */
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

  /**
   * Index or insertion point of the price: a linear search from the best, where most changes are.
   */
  #find(price: number): number {
    let at = this.prices.length
    while (at > 0 && (this.prices[at - 1]! - price) * this.sign >= 0) at -= 1
    return at
  }
}
