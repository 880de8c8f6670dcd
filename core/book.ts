/**
 * A limit order book by price levels: replaced by a snapshot, changed by diffs, read from the best
 * level on. It knows nothing of ids and gaps; book-sync.ts decides what may be applied.
 *
 * Each side is two typed arrays with the best level at the end, because changes are near the
 * best: inserting there moves few levels, and finding the place from the end takes few steps.
 */
import type { Level } from './market.ts'

const CAPACITY_MIN = 64
/** Shorter moves are faster in a loop than through copyWithin. */
const LOOP_MOVE_MAX = 32

export class BookSide {
  /** Makes prices ascend towards the best: 1 for bids, -1 for asks. */
  readonly #sign: 1 | -1
  /** sign * price, ascending. */
  #keys = new Float64Array(CAPACITY_MIN)
  #qtys = new Float64Array(CAPACITY_MIN)
  #level_count = 0

  constructor(sign: 1 | -1) {
    this.#sign = sign
  }

  get level_count(): number {
    return this.#level_count
  }

  /** The price of a level, counted from the best, which is 0; NaN where there is none. */
  priceAt(rank: number): number {
    return rank < this.#level_count
      ? this.#sign * this.#keys[this.#level_count - 1 - rank]!
      : Number.NaN
  }

  /** The quantity of a level, counted from the best, which is 0; NaN where there is none. */
  qtyAt(rank: number): number {
    return rank < this.#level_count ? this.#qtys[this.#level_count - 1 - rank]! : Number.NaN
  }

  /** At most `count` levels, best first. */
  top(count: number): readonly Level[] {
    const length = Math.min(count, this.#level_count)
    return Array.from({ length }, (_, rank) => [this.priceAt(rank), this.qtyAt(rank)] as const)
  }

  /** Puts `qty` at a price; 0 takes the level away, and one that is not there stays away. */
  set(price: number, qty: number): void {
    const key = this.#sign * price
    const at = this.#find(key)
    const is_there = at < this.#level_count && this.#keys[at] === key
    if (qty > 0) {
      if (!is_there) this.#insert(at, key)
      this.#qtys[at] = qty
    } else if (is_there) {
      this.#remove(at)
    }
  }

  /** Forgets what it holds and takes these levels, in any order; the last of a price stands. */
  replace(levels: readonly Level[]): void {
    const sorted = levels
      .filter(([, qty]) => qty > 0)
      .toSorted(([a], [b]) => this.#sign * (a - b))
    this.#keys = new Float64Array(Math.max(CAPACITY_MIN, sorted.length * 2))
    this.#qtys = new Float64Array(this.#keys.length)
    let count = 0
    for (const [price, qty] of sorted) {
      const key = this.#sign * price
      if (count === 0 || this.#keys[count - 1] !== key) this.#keys[count++] = key
      this.#qtys[count - 1] = qty
    }
    this.#level_count = count
  }

  /** Where the key stands or would stand: in doubling steps from the best, then by halves. */
  #find(key: number): number {
    const keys = this.#keys
    let high = this.#level_count
    let step = 1
    let low = high - 1
    while (low >= 0 && keys[low]! >= key) {
      high = low
      low -= step
      step *= 2
    }
    low = low < 0 ? 0 : low + 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (keys[middle]! < key) low = middle + 1
      else high = middle
    }
    return low
  }

  #insert(at: number, key: number): void {
    const count = this.#level_count
    if (count === this.#keys.length) this.#grow()
    const keys = this.#keys
    const qtys = this.#qtys
    if (count - at > LOOP_MOVE_MAX) {
      keys.copyWithin(at + 1, at, count)
      qtys.copyWithin(at + 1, at, count)
    } else {
      for (let i = count; i > at; i--) {
        keys[i] = keys[i - 1]!
        qtys[i] = qtys[i - 1]!
      }
    }
    keys[at] = key
    this.#level_count = count + 1
  }

  #remove(at: number): void {
    const count = this.#level_count - 1
    const keys = this.#keys
    const qtys = this.#qtys
    if (count - at > LOOP_MOVE_MAX) {
      keys.copyWithin(at, at + 1, count + 1)
      qtys.copyWithin(at, at + 1, count + 1)
    } else {
      for (let i = at; i < count; i++) {
        keys[i] = keys[i + 1]!
        qtys[i] = qtys[i + 1]!
      }
    }
    this.#level_count = count
  }

  #grow(): void {
    const keys = new Float64Array(this.#keys.length * 2)
    const qtys = new Float64Array(keys.length)
    keys.set(this.#keys)
    qtys.set(this.#qtys)
    this.#keys = keys
    this.#qtys = qtys
  }
}

export class OrderBook {
  readonly bids = new BookSide(1)
  readonly asks = new BookSide(-1)

  get level_count(): number {
    return this.bids.level_count + this.asks.level_count
  }

  /** No exchange has such a book: a change was missed. An empty side crosses nothing. */
  get is_crossed(): boolean {
    return this.bids.priceAt(0) >= this.asks.priceAt(0)
  }

  /** Becomes the snapshot. */
  replace({ bids, asks }: Levels): void {
    this.bids.replace(bids)
    this.asks.replace(asks)
  }

  /** Takes a diff: quantities are absolute, 0 takes a level away. */
  apply({ bids, asks }: Levels): void {
    for (const [price, qty] of bids) this.bids.set(price, qty)
    for (const [price, qty] of asks) this.asks.set(price, qty)
  }
}

/** What of a depth event a book is made from. */
export interface Levels {
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}
