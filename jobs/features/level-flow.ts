/**
 * Order flow at the best levels of a book: exact sums over its updates in one interval.
 * Multi-level OFI: Xu, Gould & Howison (2018), arXiv 1907.06230, with e_n per level as in
 * formulas/formulas.ts. The depth that normalises it: Cont, Cucuringu & Zhang (2023),
 * arXiv 2112.13213.
 */
import {
  absolute,
  type Decimal,
  decimalOf,
  DecimalSum,
  nearest,
  plus,
  quotient,
  Scale,
  times,
  ZERO,
} from '#core/decimals.ts'
import type { OrderBook } from '#core/book.ts'
import { BOOK_LEVELS } from '#core/features/book.ts'
import { addOfi, type TopOfBook } from '../formulas/formulas.ts'

/** One level of both sides; NaN for a missing level. */
type LevelPair = { -readonly [name in keyof TopOfBook]: number }

/** State that the next interval's sums depend on, after a reset. */
export interface SavedFlow {
  readonly levels: readonly Readonly<LevelPair>[]
  readonly is_chained: boolean
}

export class LevelFlow {
  readonly #qtys = new Scale()
  /** Sums of e_n, and of the quantities of both sides, by level. */
  readonly #ofi = sums()
  readonly #depth = sums()
  /** 1 if the level was missing at any update. */
  readonly #has_missed = new Uint8Array(BOOK_LEVELS)
  #update_count = 0
  #before = noLevels()
  #now = noLevels()
  #is_chained = false

  static from({ levels, is_chained }: SavedFlow): LevelFlow {
    const flow = new LevelFlow()
    flow.#now = levels.map((level) => ({ ...level }))
    flow.#is_chained = is_chained
    return flow
  }

  /** Call at the end of an interval. */
  save(): SavedFlow {
    return { levels: this.#now.map((level) => ({ ...level })), is_chained: this.#is_chained }
  }

  get update_count(): number {
    return this.#update_count
  }

  /** Sets a book that does not follow from an update. Does nothing once updates have been added. */
  startFrom(book: OrderBook): void {
    if (this.#is_chained) return
    for (let rank = 0; rank < BOOK_LEVELS; rank++) setLevel(this.#now[rank]!, book, rank)
  }

  /** Adds the book after one update. */
  add(book: OrderBook): void {
    const before = this.#now
    const now = this.#before
    for (let rank = 0; rank < BOOK_LEVELS; rank++) {
      const [was, is] = [before[rank]!, now[rank]!]
      setLevel(is, book, rank)
      if (isMissing(is) || (this.#is_chained && isMissing(was))) this.#has_missed[rank] = 1
      if (this.#has_missed[rank] === 1) continue
      this.#depth[rank]!.add(this.#qtys, is.bid_qty)
      this.#depth[rank]!.add(this.#qtys, is.ask_qty)
      // A level without a change adds 0.
      if (this.#is_chained && !isSame(was, is)) addOfi(this.#ofi[rank]!, this.#qtys, was, is)
    }
    this.#before = before
    this.#now = now
    this.#is_chained = true
    this.#update_count += 1
  }

  /** Call after a gap: the next book is not compared with the one before. */
  cut(): void {
    this.#is_chained = false
  }

  /** Sum of a level's e_n; NaN if the level is missing now or was at any update. */
  ofi(rank: number): number {
    return this.#isMissed(rank) ? NaN : nearest(this.#ofi[rank]!.value)
  }

  /** Mean quantity at one of the best levels, over levels, sides and updates. */
  qtyMean(level_count: number): number {
    if (!this.#isWhole(level_count)) return NaN
    return quotient(this.#depthSum(level_count), count(2 * level_count * this.#depthCount()))
  }

  /**
   * sum e_n / sum D_k of the best levels. D_k is the mean depth per level and side over the
   * updates, or that of the current book if there were none.
   */
  normalisedOfi(level_count: number): number {
    if (!this.#isWhole(level_count)) return NaN
    let ofi = ZERO
    for (let rank = 0; rank < level_count; rank++) ofi = plus(ofi, this.#ofi[rank]!.value)
    return quotient(times(ofi, count(2 * this.#depthCount())), this.#depthSum(level_count))
  }

  /** sum w_k e_n / sum |w_k| over all levels, divided by the mean quantity of a level. */
  integratedOfi(weights: readonly Decimal[]): number {
    if (!this.#isWhole(BOOK_LEVELS)) return NaN
    let ofi = ZERO
    let norm = ZERO
    for (const [rank, weight] of weights.entries()) {
      ofi = plus(ofi, times(weight, this.#ofi[rank]!.value))
      norm = plus(norm, absolute(weight))
    }
    const slots = count(2 * BOOK_LEVELS * this.#depthCount())
    return quotient(times(ofi, slots), times(norm, this.#depthSum(BOOK_LEVELS)))
  }

  /** Resets the sums; the next book is still compared with the last one. */
  reset(): void {
    for (const sum of this.#ofi) sum.reset()
    for (const sum of this.#depth) sum.reset()
    this.#has_missed.fill(0)
    this.#update_count = 0
  }

  /** Whether none of the levels was missing. */
  #isWhole(level_count: number): boolean {
    for (let rank = 0; rank < level_count; rank++) if (this.#isMissed(rank)) return false
    return true
  }

  #isMissed(rank: number): boolean {
    return this.#has_missed[rank] === 1 || (this.#update_count === 0 && isMissing(this.#now[rank]!))
  }

  #depthCount(): number {
    return Math.max(this.#update_count, 1)
  }

  #depthSum(level_count: number): Decimal {
    let depth = ZERO
    for (let rank = 0; rank < level_count; rank++) {
      const { bid_qty, ask_qty } = this.#now[rank]!
      const of_level =
        this.#update_count === 0
          ? plus(decimalOf(bid_qty), decimalOf(ask_qty))
          : this.#depth[rank]!.value
      depth = plus(depth, of_level)
    }
    return depth
  }
}

function setLevel(level: LevelPair, { bids, asks }: OrderBook, rank: number): void {
  level.best_bid = bids.priceAt(rank)
  level.bid_qty = bids.qtyAt(rank)
  level.best_ask = asks.priceAt(rank)
  level.ask_qty = asks.qtyAt(rank)
}

function isMissing(level: LevelPair): boolean {
  return Number.isNaN(level.best_bid) || Number.isNaN(level.best_ask)
}

function isSame(a: LevelPair, b: LevelPair): boolean {
  return (
    a.best_bid === b.best_bid &&
    a.bid_qty === b.bid_qty &&
    a.best_ask === b.best_ask &&
    a.ask_qty === b.ask_qty
  )
}

function count(units: number): Decimal {
  return { units, digits: 0 }
}

function sums(): readonly DecimalSum[] {
  return Array.from({ length: BOOK_LEVELS }, () => new DecimalSum())
}

function noLevels(): readonly LevelPair[] {
  const none = { best_bid: NaN, bid_qty: NaN, best_ask: NaN, ask_qty: NaN }
  return Array.from({ length: BOOK_LEVELS }, () => ({ ...none }))
}
