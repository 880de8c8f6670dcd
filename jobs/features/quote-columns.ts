/**
 * Folds best quotes into the quote features of a grid. Events are added in order of
 * (ts_exchange, update_id). Values are carried forward up to the next gap. Sums are exact.
 */
import { DecimalSum, quotient, Scale } from '#core/decimals.ts'
import { HOUR_US, SECOND_US } from '#core/time.ts'
import type { QuoteChunk } from '../day/events.ts'
import { isAfterCut, type Cut } from '../day/gaps.ts'
import { columnsFor, type Columns } from '../day/grid-columns.ts'
import { endOf, type Grid, rowOf } from '../day/grid.ts'
import {
  addOfi,
  isTwoSided,
  mid,
  queueImbalance,
  spread,
  type TopOfBook,
  weightedMid,
} from '../formulas/formulas.ts'
import { type ExactColumn, ExactColumnWriter } from './exact-column.ts'

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
  'quote_age_s',
] as const

export type QuoteColumns = Columns<(typeof NAMES)[number]>

/** A quote and its time. */
export interface TimedQuote extends TopOfBook {
  readonly ts_exchange: number
}

export interface QuoteResult {
  readonly columns: QuoteColumns
  readonly ofi: ExactColumn
  /** The quote that was current at the start of the grid. */
  readonly carried: TopOfBook | undefined
  /** 1 for every row in which the chain of quotes was cut. */
  readonly cut: Uint8Array
}

export interface FoldedQuotes extends QuoteResult {
  /** The quote at the end of each hour: the `carried` of a grid that begins there. */
  readonly hours: ReadonlyMap<number, TimedQuote | undefined>
}

export class QuoteFold {
  readonly #grid: Grid
  readonly #cuts: readonly Cut[]
  readonly #columns: QuoteColumns
  readonly #ofi_column: ExactColumnWriter
  readonly #cut: Uint8Array
  readonly #hours = new Map<number, TimedQuote | undefined>()
  readonly #prices = new Scale()
  readonly #qtys = new Scale()
  readonly #carried: TopOfBook | undefined
  /** The current quote, with one side or two; undefined if it is unknown. */
  #state: TimedQuote | undefined
  #row = 0
  #next_cut = 0
  // State of the open interval:
  #is_cut = false
  #open: number
  #high: number
  #low: number
  readonly #spread_sum = new DecimalSum()
  #two_sided_count = 0
  #quote_count = 0
  readonly #ofi = new DecimalSum()

  /**
   * `carried` is the quote that was current at the start of the grid. Pass it only if there is no
   * gap between it and the grid. It does not count as an event of the first interval.
   */
  constructor(grid: Grid, cuts: readonly Cut[], carried?: TimedQuote) {
    this.#grid = grid
    this.#cuts = cuts.filter((cut) => cut.ts >= grid.from)
    this.#columns = columnsFor(NAMES, grid, NaN)
    this.#ofi_column = new ExactColumnWriter(this.#columns.ofi)
    this.#cut = new Uint8Array(grid.row_count)
    this.#carried = this.#state = carried
    this.#open = this.#high = this.#low = carried === undefined ? NaN : mid(carried)
  }

  add(chunk: QuoteChunk): void {
    for (let i = 0; i < chunk.row_count; i++) {
      const ts = chunk.ts_exchange[i]!
      const target = rowOf(this.#grid, ts)
      while (this.#row < target) this.#closeRow()
      this.#cutUntil(ts, chunk.update_id[i]!)
      this.#addQuote({
        ts_exchange: ts,
        best_bid: chunk.best_bid[i]!,
        bid_qty: chunk.bid_qty[i]!,
        best_ask: chunk.best_ask[i]!,
        ask_qty: chunk.ask_qty[i]!,
      })
    }
  }

  /** Closes every interval up to the end of the grid. Call once. */
  finish(): FoldedQuotes {
    while (this.#row < this.#grid.row_count) this.#closeRow()
    return {
      columns: this.#columns,
      ofi: this.#ofi_column,
      carried: this.#carried,
      cut: this.#cut,
      hours: this.#hours,
    }
  }

  #addQuote(quote: TimedQuote): void {
    const before = this.#state
    this.#state = quote
    this.#quote_count += 1
    if (!isTwoSided(quote)) {
      this.#is_cut = true
      return
    }
    if (before !== undefined && isTwoSided(before)) {
      addOfi(this.#ofi, this.#qtys, before, quote)
    }
    const m = this.#prices.middle(quote.best_bid, quote.best_ask)
    if (Number.isNaN(this.#open)) this.#open = this.#high = this.#low = m
    else if (m > this.#high) this.#high = m
    else if (m < this.#low) this.#low = m
    this.#spread_sum.add(this.#prices, quote.best_ask)
    this.#spread_sum.subtract(this.#prices, quote.best_bid)
    this.#two_sided_count += 1
  }

  #cutUntil(ts: number, id: number): void {
    while (this.#next_cut < this.#cuts.length && isAfterCut(this.#cuts[this.#next_cut]!, ts, id)) {
      this.#state = undefined
      this.#is_cut = true
      this.#next_cut += 1
    }
  }

  #closeRow(): void {
    const end = endOf(this.#grid, this.#row)
    this.#cutUntil(end, -Infinity)
    if (end % HOUR_US === 0) this.#hours.set(end, this.#state)
    if (this.#state !== undefined) this.#writeRow(this.#state)
    if (this.#is_cut) this.#cut[this.#row] = 1
    const mid_close = this.#state === undefined ? NaN : mid(this.#state)
    this.#row += 1
    this.#open = this.#high = this.#low = mid_close
    this.#is_cut = false
    this.#two_sided_count = this.#quote_count = 0
    this.#spread_sum.reset()
    this.#ofi.reset()
  }

  #writeRow(quote: TimedQuote): void {
    const row = this.#row
    const columns = this.#columns
    columns.best_bid[row] = quote.best_bid
    columns.bid_qty[row] = quote.bid_qty
    columns.best_ask[row] = quote.best_ask
    columns.ask_qty[row] = quote.ask_qty
    columns.quote_count[row] = this.#quote_count
    columns.quote_age_s[row] = (endOf(this.#grid, row) - quote.ts_exchange) / SECOND_US
    if (isTwoSided(quote)) this.#writeTwoSided(quote)
  }

  #writeTwoSided(quote: TimedQuote): void {
    const row = this.#row
    const columns = this.#columns
    columns.mid_open[row] = this.#open
    columns.mid_high[row] = this.#high
    columns.mid_low[row] = this.#low
    columns.mid_close[row] = mid(quote)
    columns.spread[row] = spread(quote)
    columns.spread_mean[row] =
      this.#two_sided_count === 0
        ? spread(quote)
        : quotient(this.#spread_sum.value, { units: this.#two_sided_count, digits: 0 })
    columns.weighted_mid[row] = weightedMid(quote) ?? NaN
    columns.i1[row] = queueImbalance(quote) ?? NaN
    this.#ofi_column.write(row, this.#ofi.value)
  }
}
