/**
 * Replays a symbol's depth and samples the book at the ends of a grid's intervals.
 *
 * Invariants
 * 1. A row shows the book after every diff with ts_exchange before the row's end.
 * 2. It shows it only where the next diff connects to that book, or none follows: else there may
 *    be a hole before the row's end. Nor is anything shown behind a hole, before the next
 *    snapshot and a diff that continues it.
 * 3. A snapshot takes its place by its id, before the first diff that it does not contain: its
 *    time may be later than theirs, by SNAPSHOT_LATE_US. It is no update of the book.
 * 4. Where the ledger has an open gap at the row's end, nothing is shown.
 */
import { SNAPSHOT_LATE_US } from '#core/book-at.ts'
import type { OrderBook } from '#core/book.ts'
import {
  type BookState,
  type DepthChange,
  fitOf,
  takeDiff,
  takeSnapshot,
  unsyncedBook,
} from '#core/book-sync.ts'
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
  ['level_qty_mean', (flow: LevelFlow) => depthOf(flow, BOOK_LEVELS) / BOOK_LEVELS],
  ['mlofi_norm_5', (flow: LevelFlow) => normalisedOfi(flow, 5)],
  ['mlofi_norm_10', (flow: LevelFlow) => normalisedOfi(flow, BOOK_LEVELS)],
  ...Array.from(
    { length: BOOK_LEVELS },
    (_, rank) => [`mlofi_${rank + 1}`, (flow: LevelFlow) => flow.ofi[rank]!] as const,
  ),
])

/** By name, those that were asked for. */
export type BookValues = Columns<string>

export class BookFold {
  readonly #grid: Grid
  readonly #columns: BookValues
  readonly #shown_columns: readonly (readonly [keyof Shown, Float64Array])[]
  readonly #flow_columns: readonly (readonly [(flow: LevelFlow) => number, Float64Array])[]
  readonly #flow = new LevelFlow()
  #state: BookState = unsyncedBook()
  #row = 0
  /** Diffs that wait for a snapshot which may come before them; those before `#head` are done. */
  #waiting: DepthChange[] = []
  #head = 0
  #snapshots: DepthChange[] = []
  /** What the book shows at a row's end; undefined after it changed. */
  #shown: Shown | undefined

  constructor(grid: Grid, wanted: readonly string[] = ALL) {
    this.#grid = grid
    const columns = columnsFor(ALL.filter((name) => wanted.includes(name)), grid, NaN)
    this.#columns = columns
    this.#shown_columns = SHOWN.flatMap((name) => {
      const column = columns[name]
      return column === undefined ? [] : [[name, column] as const]
    })
    this.#flow_columns = [...FLOW].flatMap(([name, valueOf]) => {
      const column = columns[name]
      return column === undefined ? [] : [[valueOf, column] as const]
    })
  }

  /** The next rows in order of (ts_exchange, final_update_id). */
  add(rows: readonly DepthRow[]): void {
    for (const row of rows) {
      if (row.depth_kind === 'snapshot') {
        this.#snapshots.push(row)
        this.#snapshots.sort((a, b) => a.final_update_id - b.final_update_id)
      } else this.#waiting.push(row)
      this.#takeUntil(row.ts_exchange - SNAPSHOT_LATE_US)
    }
  }

  /** `gaps` are those of the depth stream. Call once. */
  finish(gaps: readonly StreamGap[]): BookValues {
    this.#takeUntil(Infinity)
    this.#showUntil(this.#grid.row_count)
    this.#hide(gaps)
    return this.#columns
  }

  #takeUntil(ts: number): void {
    while (this.#head < this.#waiting.length && this.#waiting[this.#head]!.ts_exchange < ts) {
      this.#take(this.#waiting[this.#head]!)
      this.#head += 1
    }
    if (this.#head < this.#waiting.length / 2) return
    this.#waiting = this.#waiting.slice(this.#head)
    this.#head = 0
  }

  #take(diff: DepthChange): void {
    const fit = this.#fitOf(diff)
    const row = rowOf(this.#grid, diff.ts_exchange)
    if (fit === 'next') this.#showUntil(row)
    else if (fit === 'hole') this.#skipUntil(row)
    this.#takeSnapshotsBefore(diff)
    const is_update = this.#fitOf(diff) === 'next'
    ;[this.#state] = takeDiff(this.#state, diff)
    if (this.#state.kind === 'syncing') this.#flow.cut()
    else if (is_update) {
      this.#flow.add(this.#state.book)
      this.#shown = undefined
    }
    // The flow of what comes before the grid is no row's.
    if (row < 0) this.#flow.reset()
  }

  /** A book that is not known connects to nothing. */
  #fitOf(diff: DepthChange): ReturnType<typeof fitOf> {
    return this.#state.kind === 'synced' ? fitOf(this.#state, diff) : 'hole'
  }

  #takeSnapshotsBefore(diff: DepthChange): void {
    for (;;) {
      const snapshot = this.#snapshots[0]
      if (snapshot === undefined || snapshot.final_update_id > diff.final_update_id) return
      this.#snapshots.shift()
      ;[this.#state] = takeSnapshot(this.#state, snapshot)
      this.#shown = undefined
    }
  }

  /** Rows before `end` show the book, once a diff has continued its snapshot. */
  #showUntil(end: number): void {
    const state = this.#state
    if (state.kind === 'syncing' || !state.is_chained) return this.#skipUntil(end)
    for (; this.#row < Math.min(end, this.#grid.row_count); this.#row++) {
      this.#writeRow(state.book)
      this.#flow.reset()
    }
  }

  #skipUntil(end: number): void {
    if (end <= this.#row) return
    this.#row = Math.min(end, this.#grid.row_count)
    this.#flow.reset()
  }

  #writeRow(book: OrderBook): void {
    const shown = (this.#shown ??= shownBy(book))
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
  const mid = (bids.priceAt(0) + asks.priceAt(0)) / 2
  const bid_wall = is_two_sided ? wall(bids, mid, BOOK_LEVELS) : null
  const ask_wall = is_two_sided ? wall(asks, mid, BOOK_LEVELS) : null
  return {
    i5: imbalance(book, 5) ?? NaN,
    i10: imbalance(book, 10) ?? NaN,
    bid_wall_size: bid_wall?.size ?? NaN,
    bid_wall_dist_bps: bid_wall?.dist_bps ?? NaN,
    bid_wall_ratio: bid_wall?.ratio ?? NaN,
    // Without a mid it is NaN by itself.
    bid_slope: liquiditySlope(bids, mid, BOOK_LEVELS) ?? NaN,
    ask_wall_size: ask_wall?.size ?? NaN,
    ask_wall_dist_bps: ask_wall?.dist_bps ?? NaN,
    ask_wall_ratio: ask_wall?.ratio ?? NaN,
    ask_slope: liquiditySlope(asks, mid, BOOK_LEVELS) ?? NaN,
    book_slope: bookSlope(book, mid, BOOK_LEVELS) ?? NaN,
  }
}

function depthOf(flow: LevelFlow, level_count: number): number {
  let depth = 0
  for (let rank = 0; rank < level_count; rank++) depth += flow.meanDepth(rank)
  return depth
}

function normalisedOfi(flow: LevelFlow, level_count: number): number {
  let ofi = 0
  for (let rank = 0; rank < level_count; rank++) ofi += flow.ofi[rank]!
  return ofi / depthOf(flow, level_count)
}
