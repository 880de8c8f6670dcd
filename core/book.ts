/**
 * A limit order book by price level. Snapshots replace it, diffs change it, readers go from the
 * best level down. It knows nothing of ids and gaps: book-sync.ts decides what may be applied.
 *
 * Each side is two typed arrays with the best level at the end. Most changes are near the best
 * level, so an insert moves few levels and a search from the end takes few steps.
 */
import type { Level } from './market.ts'

const CAPACITY_MIN = 64
/** Shorter moves are faster in a loop than through copyWithin. */
const LOOP_MOVE_MAX = 32

export class BookSide {
  /** Makes keys ascend towards the best level: 1 for bids, -1 for asks. */
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

  /** Price of the level with this rank (0 is the best); NaN beyond the last level. */
  priceAt(rank: number): number {
    return rank < this.#level_count
      ? this.#sign * this.#keys[this.#level_count - 1 - rank]!
      : Number.NaN
  }

  /** Quantity of the level with this rank (0 is the best); NaN beyond the last level. */
  qtyAt(rank: number): number {
    return rank < this.#level_count ? this.#qtys[this.#level_count - 1 - rank]! : Number.NaN
  }

  /** At most `count` levels, best first. */
  top(count: number): readonly Level[] {
    const length = Math.min(count, this.#level_count)
    return Array.from({ length }, (_, rank) => [this.priceAt(rank), this.qtyAt(rank)] as const)
  }

  /** Sets the quantity at a price. 0 removes the level, or does nothing if there is none. */
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

  /** Sets the quantity of each price, in order. */
  apply(levels: LevelList): void {
    if ('price' in levels) {
      const { price, qty, to } = levels
      for (let at = levels.from; at < to; at++) this.set(price[at]!, qty[at]!)
      return
    }
    // Taking a pair apart costs as much again as setting the level.
    for (const level of levels) this.set(level[0], level[1])
  }

  /** Replaces all levels. Any order; if a price occurs twice, the last one wins. */
  replace(list: LevelList): void {
    const levels = pairsOf(list)
    const sorted = levels.filter(([, qty]) => qty > 0).toSorted(([a], [b]) => this.#sign * (a - b))
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

  /** Index of the key, or its insertion point: doubling steps from the best, then bisection. */
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

  /** A crossed book means that a change was missed. A book with an empty side is never crossed. */
  get is_crossed(): boolean {
    return this.bids.priceAt(0) >= this.asks.priceAt(0)
  }

  replace({ bids, asks }: LevelLists): void {
    this.bids.replace(bids)
    this.asks.replace(asks)
  }

  /** Applies a diff: quantities are absolute, 0 removes a level. */
  apply({ bids, asks }: LevelLists): void {
    this.bids.apply(bids)
    this.asks.apply(asks)
  }
}

/** The fields of a depth event that a book is built from. */
export interface Levels {
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

/** The same of an event or of a row of an archive file. */
export interface LevelLists {
  readonly bids: LevelList
  readonly asks: LevelList
}

export type LevelList = readonly Level[] | FlatLevels

/** Levels [from, to) of columns that hold the levels of many rows. */
export interface FlatLevels {
  readonly price: Float64Array
  readonly qty: Float64Array
  readonly from: number
  readonly to: number
}

export function pairsOf(list: LevelList): readonly Level[] {
  if (!('price' in list)) return list
  const pairs: Level[] = []
  for (let at = list.from; at < list.to; at++) pairs.push([list.price[at]!, list.qty[at]!])
  return pairs
}
