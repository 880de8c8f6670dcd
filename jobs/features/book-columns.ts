/**
 * Replays a symbol's depth and samples the book at the end of each interval of a grid.
 *
 * Invariants
 * 1. A row shows the book after every diff with ts_exchange before the row's end, if that book is
 *    known (core/book-replay.ts) and a diff has continued its snapshot.
 * 2. A snapshot does not count as an update of the book. After a gap the flow starts from scratch.
 * 3. A row is null if the ledger has an open gap at its end.
 * 4. A fold may continue another fold from a whole hour on, with what that fold saved there, and
 *    gives the same rows. It gets depth from that hour on. The other fold has already read the
 *    first SNAPSHOT_LATE_US of it, to find its snapshots.
 */
import type { BookSide, OrderBook } from '#core/book.ts'
import {
  BookReplay,
  HeldDiffs,
  type SavedReplay,
  SNAPSHOT_LATE_US,
  type Stretch,
} from '#core/book-replay.ts'
import type { AnyDepthChange } from '#core/book-sync.ts'
import { decimalOf, half, plus } from '#core/decimals.ts'
import { BOOK_COLUMNS, BOOK_LEVELS } from '#core/features/book.ts'
import type { AnyDepthRow } from '../day/depth-reader.ts'
import { isUnknownAt, type StreamGap } from '../day/gaps.ts'
import { columnsFor, type Columns } from '../day/grid-columns.ts'
import { endOf, type Grid, hoursOf, rowOf } from '../day/grid.ts'
import { imbalance, liquiditySlope, wall } from '../formulas/book-shape.ts'
import { bookSlope } from './book-slope.ts'
import { LevelFlow, type SavedFlow } from './level-flow.ts'

const ALL = BOOK_COLUMNS.map(({ name }) => name)

/** Columns computed from the book at the end of the interval. */
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

/** Columns computed from the book's updates in the interval. */
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

/** Its weights were fitted on the day before. */
const INTEGRATED = 'mlofi_integrated'

function withIntegratedOfi(weights: readonly number[]): typeof FLOW {
  const exact = weights.map(decimalOf)
  return new Map([...FLOW, [INTEGRATED, (flow: LevelFlow) => flow.integratedOfi(exact)]])
}

/** Requested columns by name. */
export type BookValues = Columns<string>

/** State that a fold takes over at a whole hour. */
export interface CarriedBook {
  readonly replay: SavedReplay
  readonly flow: SavedFlow
}

/** State at the end of an hour. */
export interface BookHour {
  /** Undefined before the first depth. */
  readonly carried: CarriedBook | undefined
  /** Depth from this time on cannot change rows before the hour's end. Infinity: any depth can. */
  readonly read_to: number
}

export class BookFold {
  readonly #grid: Grid
  readonly #columns: BookValues
  readonly #shown_columns: readonly (readonly [keyof Shown, Float64Array])[]
  readonly #flow_columns: readonly (readonly [(flow: LevelFlow) => number, Float64Array])[]
  readonly #flow: LevelFlow
  readonly #replay: BookReplay
  readonly #held: HeldDiffs
  /** The fold that this one continues has already taken snapshots before this time. */
  readonly #snapshots_from: number
  /** Key: end of the hour. */
  readonly #hours = new Map<number, BookHour>()
  /** Ends of hours that are not yet followed by a diff. */
  readonly #hour_ends: number[]
  #has_depth: boolean
  #row = 0

  /**
   * `ofi_weights` has one weight per level for mlofi_integrated, which is null without them.
   * `carried` is the state at the end of the hour before, for a grid that begins at a whole hour.
   */
  constructor(
    grid: Grid,
    wanted: readonly string[] = ALL,
    ofi_weights?: readonly number[],
    carried?: CarriedBook,
  ) {
    this.#grid = grid
    this.#flow = carried === undefined ? new LevelFlow() : LevelFlow.from(carried.flow)
    this.#replay = carried === undefined ? new BookReplay() : BookReplay.from(carried.replay)
    this.#held = new HeldDiffs(this.#replay, (diff) => this.#take(diff))
    this.#snapshots_from = carried === undefined ? -Infinity : grid.from + SNAPSHOT_LATE_US
    this.#has_depth = carried !== undefined
    this.#hour_ends = hoursOf(grid).map(({ to }) => to)
    const flow = ofi_weights === undefined ? FLOW : withIntegratedOfi(ofi_weights)
    const columns = columnsFor(
      [...ALL, INTEGRATED].filter((name) => wanted.includes(name)),
      grid,
      NaN,
    )
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

  /** Adds the next rows, ordered by (ts_exchange, final_update_id). */
  add(rows: readonly AnyDepthRow[]): void {
    this.#has_depth ||= rows.length > 0
    for (const row of rows) {
      const is_snapshot = row.depth_kind === 'snapshot'
      if (is_snapshot && row.ts_exchange <= this.#snapshots_from) continue
      this.#held.add(row, is_snapshot)
    }
  }

  /** Takes the gaps of the depth stream. Call once. */
  finish(gaps: readonly StreamGap[]): BookValues {
    // Diffs that still wait may belong after a snapshot that has not arrived yet.
    for (const to of this.#hour_ends.splice(0)) {
      this.#hours.set(to, { carried: undefined, read_to: this.#has_depth ? Infinity : to })
    }
    this.#held.releaseBefore(Infinity)
    this.#show(this.#replay.end(endOf(this.#grid, this.#grid.row_count - 1)))
    this.#hide(gaps)
    return this.#columns
  }

  /** For an hour that the grid overlaps. Call after finish. */
  atHour(to: number): BookHour {
    return this.#hours.get(to)!
  }

  #take(diff: AnyDepthChange): void {
    while (this.#hour_ends.length > 0 && this.#hour_ends[0]! <= diff.ts_exchange) {
      this.#carry(this.#hour_ends.shift()!, diff)
    }
    const row = rowOf(this.#grid, diff.ts_exchange)
    this.#show(this.#replay.before(diff))
    const outcome = this.#replay.take(diff)
    if (outcome === 'old') return
    if (outcome !== 'update') {
      this.#skipUntil(row)
      this.#flow.cut()
    }
    if (outcome !== 'lost') this.#flow.add(this.#replay.book!)
    // Flow before the grid belongs to no row.
    if (row < 0) this.#flow.reset()
  }

  /** Writes the rows that end in the stretch. Rows before it stay unknown. */
  #show(stretch: Stretch | undefined): void {
    if (stretch?.is_continued !== true) return
    const { book, from, to } = stretch
    this.#skipUntil(rowOf(this.#grid, from))
    if (this.#row >= this.#grid.row_count || endOf(this.#grid, this.#row) > to) return
    this.#flow.startFrom(book)
    const shown = shownBy(book)
    while (this.#row < this.#grid.row_count && endOf(this.#grid, this.#row) <= to) {
      this.#writeRow(shown)
      this.#row += 1
      this.#flow.reset()
    }
  }

  /** `next` is the first diff after the hour's end; the replay has not taken it yet. */
  #carry(to: number, next: AnyDepthChange): void {
    const replay = this.#replay.save()
    // The fold that continues from here reads later snapshots again.
    const snapshots = replay.snapshots.filter(({ ts_exchange: ts }) => ts <= to + SNAPSHOT_LATE_US)
    this.#hours.set(to, {
      carried: { replay: { ...replay, snapshots }, flow: this.#flow.save() },
      read_to: next.ts_exchange + SNAPSHOT_LATE_US + 1,
    })
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
