/**
 * The flow of orders at the best levels of a book: sums over its updates in one interval.
 * Multi-level OFI: Xu, Gould & Howison (2018), arXiv 1907.06230, e_n of every level as in ofi.ts.
 * Depth that normalises it: Cont, Cucuringu & Zhang (2023), arXiv 2112.13213.
 */
import type { OrderBook } from '#core/book.ts'
import { BOOK_LEVELS } from '#core/features/book.ts'

/** Prices and quantities by level, best first; NaN where there is none. */
export interface Levels {
  readonly bid: Float64Array
  readonly bid_qty: Float64Array
  readonly ask: Float64Array
  readonly ask_qty: Float64Array
}

export class LevelFlow {
  /** Sums of e_n by level; NaN where a level was missing at some update. */
  readonly ofi = new Float64Array(BOOK_LEVELS)
  readonly #depth = new Float64Array(BOOK_LEVELS)
  #update_count = 0
  #before = emptyLevels()
  #now = emptyLevels()
  #is_chained = false

  get update_count(): number {
    return this.#update_count
  }

  /** A book that no update has led to: it stands, and the chain has yet to begin. */
  stand(book: OrderBook): void {
    if (this.#is_chained) return
    for (let rank = 0; rank < BOOK_LEVELS; rank++) setLevel(this.#now, book, rank)
  }

  /** The book after one update. */
  add(book: OrderBook): void {
    const before = this.#now
    const now = this.#before
    for (let rank = 0; rank < BOOK_LEVELS; rank++) {
      setLevel(now, book, rank)
      this.#depth[rank]! += (now.bid_qty[rank]! + now.ask_qty[rank]!) / 2
      if (this.#is_chained) this.ofi[rank]! += levelOfi(before, now, rank)
      else if (isMissing(now, rank)) this.ofi[rank] = NaN
    }
    this.#before = before
    this.#now = now
    this.#is_chained = true
    this.#update_count += 1
  }

  /** Behind a hole: the next book is compared with nothing. */
  cut(): void {
    this.#is_chained = false
  }

  /** D_k: mean depth of a level and side over the updates; as it stands where there was none. */
  meanDepth(rank: number): number {
    const { bid_qty, ask_qty } = this.#now
    if (this.#update_count === 0) return (bid_qty[rank]! + ask_qty[rank]!) / 2
    return this.#depth[rank]! / this.#update_count
  }

  /** The sums begin anew; the chain runs on. */
  reset(): void {
    this.ofi.fill(0)
    this.#depth.fill(0)
    this.#update_count = 0
  }
}

function setLevel(levels: Levels, { bids, asks }: OrderBook, rank: number): void {
  levels.bid[rank] = bids.priceAt(rank)
  levels.bid_qty[rank] = bids.qtyAt(rank)
  levels.ask[rank] = asks.priceAt(rank)
  levels.ask_qty[rank] = asks.qtyAt(rank)
}

/** e_n of one level; NaN where it is missing before or after. */
export function levelOfi(before: Levels, now: Levels, rank: number): number {
  if (isMissing(before, rank) || isMissing(now, rank)) return NaN
  let e = 0
  if (now.bid[rank]! >= before.bid[rank]!) e += now.bid_qty[rank]!
  if (now.bid[rank]! <= before.bid[rank]!) e -= before.bid_qty[rank]!
  if (now.ask[rank]! <= before.ask[rank]!) e -= now.ask_qty[rank]!
  if (now.ask[rank]! >= before.ask[rank]!) e += before.ask_qty[rank]!
  return e
}

function isMissing(levels: Levels, rank: number): boolean {
  return Number.isNaN(levels.bid[rank]) || Number.isNaN(levels.ask[rank])
}

function emptyLevels(): Levels {
  const column = (): Float64Array => new Float64Array(BOOK_LEVELS).fill(NaN)
  return { bid: column(), bid_qty: column(), ask: column(), ask_qty: column() }
}
