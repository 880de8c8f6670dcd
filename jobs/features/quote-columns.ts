/**
 * Folds best quotes into the quote features of a grid of seconds. Events come in the order of
 * (ts_exchange, update_id); values are carried forward until a gap cuts the chain. Sums run in
 * that order, so the same events give the same bits.
 */
import { SECOND_US } from '#core/time.ts'
import type { QuoteChunk } from '../source/source.ts'
import { isBehind, type Cut } from './gaps.ts'
import { type Grid, rowOf } from './grid.ts'
import { ofi } from './ofi.ts'
import { isTwoSided, mid, spread, type TopOfBook } from './quote.ts'
import { queueImbalance } from './queue-imbalance.ts'
import { realisedVariance } from './realised-variance.ts'
import { weightedMid } from './weighted-mid.ts'

const NAMES = [
  'mid_open',
  'mid_high',
  'mid_low',
  'mid_close',
  'best_bid',
  'bid_qty',
  'best_ask',
  'ask_qty',
  'spread',
  'spread_mean',
  'weighted_mid',
  'i1',
  'ofi',
  'quote_count',
  'realised_variance',
] as const

/** One value a second; NaN is null. */
export type QuoteColumns = Readonly<Record<(typeof NAMES)[number], Float64Array>>

export class QuoteFold {
  readonly #grid: Grid
  readonly #cuts: readonly Cut[]
  readonly #columns: QuoteColumns
  /** The quote that is valid now; undefined where we do not know it. */
  #state: TopOfBook | undefined
  #row = 0
  #next_cut = 0
  /** Mid at the end of the second before; NaN where it had none. */
  #mid_before: number
  // Of the second that is open:
  #is_cut = false
  #open: number
  #high: number
  #low: number
  #spread_sum = 0
  #two_sided_count = 0
  #quote_count = 0
  #ofi = 0

  /**
   * `carried` is the quote that was valid at the start of the grid, where the stream was heard
   * without a hole since; it is no event of the grid's first second.
   */
  constructor(grid: Grid, cuts: readonly Cut[], carried?: TopOfBook) {
    this.#grid = grid
    this.#cuts = cuts.filter((cut) => cut.ts >= grid.from)
    this.#columns = Object.fromEntries(
      NAMES.map((name) => [name, new Float64Array(grid.row_count).fill(NaN)]),
    ) as QuoteColumns
    this.#state = carried
    this.#mid_before = carried === undefined ? NaN : mid(carried)
    this.#open = this.#high = this.#low = this.#mid_before
  }

  add(chunk: QuoteChunk): void {
    for (let i = 0; i < chunk.row_count; i++) {
      const ts = chunk.ts_exchange[i]!
      const target = rowOf(this.#grid, ts)
      while (this.#row < target) this.#closeSecond()
      this.#cutUntil(ts, chunk.update_id[i]!)
      this.#addQuote({
        best_bid: chunk.best_bid[i]!,
        bid_qty: chunk.bid_qty[i]!,
        best_ask: chunk.best_ask[i]!,
        ask_qty: chunk.ask_qty[i]!,
      })
    }
  }

  /** Closes every second up to the end of the grid. Call once. */
  finish(): QuoteColumns {
    while (this.#row < this.#grid.row_count) this.#closeSecond()
    return this.#columns
  }

  #addQuote(quote: TopOfBook): void {
    this.#quote_count += 1
    if (!isTwoSided(quote)) {
      this.#state = undefined
      this.#is_cut = true
      return
    }
    if (this.#state !== undefined) this.#ofi += ofi(this.#state, quote)
    this.#state = quote
    const m = mid(quote)
    if (Number.isNaN(this.#open)) this.#open = this.#high = this.#low = m
    else if (m > this.#high) this.#high = m
    else if (m < this.#low) this.#low = m
    this.#spread_sum += spread(quote)
    this.#two_sided_count += 1
  }

  #cutUntil(ts: number, id: number): void {
    while (this.#next_cut < this.#cuts.length && isBehind(this.#cuts[this.#next_cut]!, ts, id)) {
      this.#state = undefined
      this.#is_cut = true
      this.#next_cut += 1
    }
  }

  #closeSecond(): void {
    this.#cutUntil(this.#grid.from + (this.#row + 1) * SECOND_US, -Infinity)
    if (this.#state !== undefined) this.#writeRow(this.#state)
    const mid_close = this.#state === undefined ? NaN : mid(this.#state)
    this.#row += 1
    this.#mid_before = this.#open = this.#high = this.#low = mid_close
    this.#is_cut = false
    this.#spread_sum = this.#two_sided_count = this.#quote_count = this.#ofi = 0
  }

  #writeRow(quote: TopOfBook): void {
    const row = this.#row
    const columns = this.#columns
    columns.mid_open[row] = this.#open
    columns.mid_high[row] = this.#high
    columns.mid_low[row] = this.#low
    columns.mid_close[row] = mid(quote)
    columns.best_bid[row] = quote.best_bid
    columns.bid_qty[row] = quote.bid_qty
    columns.best_ask[row] = quote.best_ask
    columns.ask_qty[row] = quote.ask_qty
    columns.spread[row] = spread(quote)
    columns.spread_mean[row] =
      this.#two_sided_count === 0 ? spread(quote) : this.#spread_sum / this.#two_sided_count
    columns.weighted_mid[row] = weightedMid(quote) ?? NaN
    columns.i1[row] = queueImbalance(quote) ?? NaN
    columns.ofi[row] = this.#ofi
    columns.quote_count[row] = this.#quote_count
    if (!this.#is_cut) {
      columns.realised_variance[row] = realisedVariance(this.#mid_before, mid(quote))
    }
  }
}
