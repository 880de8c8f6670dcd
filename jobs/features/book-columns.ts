/**
 * Replays a symbol's depth and samples the book at the ends of a grid's intervals.
 *
 * Invariants
 * 1. A row shows the book after every diff with ts_exchange before the row's end, where that book
 *    is known (core/book-replay.ts) and a diff has continued its snapshot.
 * 2. A snapshot is no update of the book. Behind a hole the flow begins anew.
 * 3. Where the ledger has an open gap at the row's end, nothing is shown.
 */
import type { BookSide, OrderBook } from '#core/book.ts'
import { BookReplay, HeldDiffs, type Stretch } from '#core/book-replay.ts'
import type { DepthChange } from '#core/book-sync.ts'
import { decimalOf, half, plus } from '#core/decimals.ts'
import { BOOK_COLUMNS, BOOK_LEVELS } from '#core/features/book.ts'
import type { DepthRow } from '../topn/depth-reader.ts'
import { imbalance } from '../topn/imbalance.ts'
import { liquiditySlope } from '../topn/liquidity-slope.ts'
import { wall } from '../topn/wall.ts'
import { bookSlope } from './book-slope.ts'
import { columnsFor, type Columns } from './columns.ts'
import { isUnknownAt, type StreamGap } from './gaps.ts'
import { endOf, type Grid, rowOf } from './grid.ts'
import { LevelFlow } from './level-flow.ts'

const ALL = BOOK_COLUMNS.map(({ name }) => name)

/** What follows from the book as it stands. */
const SHOWN = [
  'i5',
  'i10',
  'bid_wall_size',
  'bid_wall_dist_bps',
  'bid_wall_ratio',
  'bid_slope',
  'ask_wall_size',
  'ask_wall_dist_bps',
  'ask_wall_ratio',
  'ask_slope',
  'book_slope',
] as const
type Shown = Readonly<Record<(typeof SHOWN)[number], number>>

/** What follows from its updates in the interval. */
const FLOW: ReadonlyMap<string, (flow: LevelFlow) => number> = new Map([
  ['depth_update_count', (flow: LevelFlow) => flow.update_count],
  ['level_qty_mean', (flow: LevelFlow) => flow.qtyMean(BOOK_LEVELS)],
  ['mlofi_norm_5', (flow: LevelFlow) => flow.normalisedOfi(5)],
  ['mlofi_norm_10', (flow: LevelFlow) => flow.normalisedOfi(BOOK_LEVELS)],
  ...Array.from(
    { length: BOOK_LEVELS },
    (_, rank) => [`mlofi_${rank + 1}`, (flow: LevelFlow) => flow.ofi(rank)] as const,
  ),
])

/** Its weights come from the day before. */
const INTEGRATED = 'mlofi_integrated'

function withIntegratedOfi(weights: readonly number[]): typeof FLOW {
  const exact = weights.map(decimalOf)
  return new Map([...FLOW, [INTEGRATED, (flow: LevelFlow) => flow.integratedOfi(exact)]])
}

/** By name, those that were asked for. */
export type BookValues = Columns<string>

export class BookFold {
  readonly #grid: Grid
  readonly #columns: BookValues
  readonly #shown_columns: readonly (readonly [keyof Shown, Float64Array])[]
  readonly #flow_columns: readonly (readonly [(flow: LevelFlow) => number, Float64Array])[]
  readonly #flow = new LevelFlow()
  readonly #replay = new BookReplay()
  readonly #held = new HeldDiffs(this.#replay, (diff) => this.#take(diff))
  #row = 0

  /** `ofi_weights` are those of mlofi_integrated, one a level: it is null without. */
  constructor(grid: Grid, wanted: readonly string[] = ALL, ofi_weights?: readonly number[]) {
    this.#grid = grid
    const flow = ofi_weights === undefined ? FLOW : withIntegratedOfi(ofi_weights)
    const columns = columnsFor([...ALL, INTEGRATED].filter((name) => wanted.includes(name)), grid, NaN)
    this.#columns = columns
    this.#shown_columns = SHOWN.flatMap((name) => {
      const column = columns[name]
      return column === undefined ? [] : [[name, column] as const]
    })
    this.#flow_columns = [...flow].flatMap(([name, valueOf]) => {
      const column = columns[name]
      return column === undefined ? [] : [[valueOf, column] as const]
    })
  }

  /** The next rows in order of (ts_exchange, final_update_id). */
  add(rows: readonly DepthRow[]): void {
    for (const row of rows) this.#held.add(row, row.depth_kind === 'snapshot')
  }

  /** `gaps` are those of the depth stream. Call once. */
  finish(gaps: readonly StreamGap[]): BookValues {
    this.#held.releaseBefore(Infinity)
    this.#show(this.#replay.end(endOf(this.#grid, this.#grid.row_count - 1)))
    this.#hide(gaps)
    return this.#columns
  }

  #take(diff: DepthChange): void {
    const row = rowOf(this.#grid, diff.ts_exchange)
    this.#show(this.#replay.before(diff))
    const outcome = this.#replay.take(diff)
    if (outcome === 'old') return
    if (outcome !== 'update') {
      this.#skipUntil(row)
      this.#flow.cut()
    }
    if (outcome !== 'lost') this.#flow.add(this.#replay.book!)
    // The flow of what comes before the grid is no row's.
    if (row < 0) this.#flow.reset()
  }

  /** Writes the rows that end in the stretch, and leaves those before it unknown. */
  #show(stretch: Stretch | undefined): void {
    if (stretch?.is_continued !== true) return
    const { book, from, to } = stretch
    this.#skipUntil(rowOf(this.#grid, from))
    if (this.#row >= this.#grid.row_count || endOf(this.#grid, this.#row) > to) return
    this.#flow.stand(book)
    const shown = shownBy(book)
    while (this.#row < this.#grid.row_count && endOf(this.#grid, this.#row) <= to) {
      this.#writeRow(shown)
      this.#row += 1
      this.#flow.reset()
    }
  }

  #skipUntil(end: number): void {
    if (end <= this.#row) return
    this.#row = Math.min(end, this.#grid.row_count)
    this.#flow.reset()
  }

  #writeRow(shown: Shown): void {
    for (const [name, column] of this.#shown_columns) column[this.#row] = shown[name]
    for (const [valueOf, column] of this.#flow_columns) column[this.#row] = valueOf(this.#flow)
  }

  #hide(gaps: readonly StreamGap[]): void {
    for (const gap of gaps) {
      const first = Math.max(rowOf(this.#grid, gap.from_ts), 0)
      for (let row = first; row < this.#grid.row_count; row++) {
        const end = endOf(this.#grid, row)
        if (end > gap.to_ts) break
        if (!isUnknownAt(gap, end)) continue
        for (const column of Object.values(this.#columns)) column[row] = NaN
      }
    }
  }
}

/** NaN is null. */
function shownBy(book: OrderBook): Shown {
  const { bids, asks } = book
  const is_two_sided = bids.level_count > 0 && asks.level_count > 0
  const mid = is_two_sided
    ? half(plus(decimalOf(bids.priceAt(0)), decimalOf(asks.priceAt(0))))
    : null
  const bid_wall = mid === null ? null : wall(bids, mid, BOOK_LEVELS)
  const ask_wall = mid === null ? null : wall(asks, mid, BOOK_LEVELS)
  const slopeOf = (side: BookSide): number =>
    mid === null ? NaN : (liquiditySlope(side, mid, BOOK_LEVELS) ?? NaN)
  return {
    i5: imbalance(book, 5) ?? NaN,
    i10: imbalance(book, 10) ?? NaN,
    bid_wall_size: bid_wall?.size ?? NaN,
    bid_wall_dist_bps: bid_wall?.dist_bps ?? NaN,
    bid_wall_ratio: bid_wall?.ratio ?? NaN,
    bid_slope: slopeOf(bids),
    ask_wall_size: ask_wall?.size ?? NaN,
    ask_wall_dist_bps: ask_wall?.dist_bps ?? NaN,
    ask_wall_ratio: ask_wall?.ratio ?? NaN,
    ask_slope: slopeOf(asks),
    book_slope: mid === null ? NaN : (bookSlope(book, mid, BOOK_LEVELS) ?? NaN),
  }
}
