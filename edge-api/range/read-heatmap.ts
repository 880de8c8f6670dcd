/**
 * Resting liquidity over time by price bin: what the book showed last in each interval, from
 * orderbook_topn or from the recorded depth itself, hot or cold. Sums are exact.
 *
 * Invariants
 * 1. An interval in which the book is not known has no row.
 * 2. The database is queried before the list of dropped hours, as in read-range.ts.
 */
import type { BookSide, OrderBook } from '#core/book.ts'
import type { DepthSource } from '#core/book-at.ts'
import { BookReplay, SNAPSHOT_LATE_US, type Stretch } from '#core/book-replay.ts'
import { binOf } from '#core/clusters/bar.ts'
import { type Decimal, decimalOf, nearest, plus } from '#core/decimals.ts'
import type { Level } from '#core/market.ts'
import { HOUR_US, hourStart, micros, SECOND_US, toIso, type Micros } from '#core/time.ts'
import { createBudget, LAKE_LIMITS, LakeBudgetError } from '../lake/budget.ts'
import { Problem } from '../problem.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import type { LastRowsArgs } from '../queries/heatmap.ts'
import type { Row } from '../tables/table.ts'
import { orderbook_topn } from '../tables/tables.ts'
import { isAway } from './instruments.ts'
import { coversAll, databaseAway, type RangeSources } from './read-range.ts'

export interface HeatmapWanted {
  /** Null if the database did not respond. */
  readonly symbol_id: number | null
  readonly exchange: string
  readonly symbol: string
  /** Multiples of the interval. */
  readonly from: Micros
  readonly to: Micros
  readonly interval_us: number
  /** Width of a bin. */
  readonly step: Decimal
}

/** [lowest price of the bin, resting quantity], ascending. */
export type HeatCell = readonly [price: number, qty: number]

export interface HeatRow {
  /** Start of the interval. */
  readonly ts: Micros
  readonly bid: readonly HeatCell[]
  readonly ask: readonly HeatCell[]
}

export type ReadHeatmap = (wanted: HeatmapWanted) => Promise<readonly HeatRow[]>

export interface HeatmapSources extends Pick<
  RangeSources,
  'archivedHours' | 'archivedHoursOfStore' | 'symbolHour' | 'now'
> {
  lastRows(args: LastRowsArgs): Promise<readonly Row[]>
}

/** Of all rows of an answer: about 2 MB of text. */
const CELLS_MAX = 60_000
const DAYS_MAX = 31
const HOURS_MAX = 1_000
/** Rows of an archived hour are read for so long at a time, to bound memory. */
const PART_US = 600 * SECOND_US
/** A file is opened for each part of its hour, so hours are counted before they are read. */
const LIMITS = { ...LAKE_LIMITS, file_count_max: Infinity }
const DIFFS_MAX = 60_000

const LEVELS = ['b', 'a'].flatMap((letter) =>
  Array.from({ length: 10 }, (_, i) => [`${letter}${i + 1}_price`, `${letter}${i + 1}_qty`]).flat(),
)
const NAMES = new Set(['ts_exchange', ...LEVELS])
const COLUMNS = orderbook_topn.columns.filter(({ name }) => NAMES.has(name))

/** From the best ten levels, as orderbook_topn samples them. */
export function createTopHeatmap(sources: HeatmapSources): ReadHeatmap {
  return async (wanted) => {
    const { symbol_id, exchange, from, to, interval_us } = wanted
    let hot: readonly Row[] = []
    let away: unknown
    try {
      if (symbol_id === null) throw databaseAway()
      hot = await sources.lastRows({ symbol_id, columns: LEVELS, from, to, interval_us })
    } catch (error) {
      if (!isAway(error)) throw error
      away = error
    }
    const args = { exchange, table_name: 'orderbook_topn', from, to } as const
    let hours: readonly ArchivedHourRow[] = []
    if (away !== undefined) {
      hours = await sources.archivedHoursOfStore({ ...args, day_count_max: DAYS_MAX })
      if (!coversAll(hours, from, to)) throw away
    } else if (from < hourStart(sources.now())) {
      const all = await sources.archivedHours({ ...args, limit: HOURS_MAX })
      hours = all.filter(({ is_dropped }) => is_dropped)
    }
    const cold = await lastArchived(sources, wanted, hours)
    const last = new Map<number, Row>()
    for (const row of [...cold, ...hot].toSorted((a, b) => timeOf(a) - timeOf(b))) {
      last.set(startOf(wanted, timeOf(row)), row)
    }
    const heat = new HeatRows(wanted)
    for (const [ts, row] of last) heat.add(micros(ts), levelsIn(row, 'b'), levelsIn(row, 'a'))
    return heat.rows
  }
}

/** The last archived row of each interval. */
async function lastArchived(
  sources: HeatmapSources,
  wanted: HeatmapWanted,
  hours: readonly ArchivedHourRow[],
): Promise<readonly Row[]> {
  const { symbol } = wanted
  const hours_max = LAKE_LIMITS.file_count_max
  if (hours.length > hours_max) throw tooLarge(wanted, `more than ${hours_max} archived hours`)
  const budget = createBudget(LIMITS)
  const last = new Map<number, Row>()
  for (const hour of hours) {
    const end = Math.min(hour.hour + HOUR_US, wanted.to)
    for (let at = Math.max(hour.hour, wanted.from); at < end; at += PART_US) {
      const span = { from: micros(at), to: micros(Math.min(end, at + PART_US)) }
      const args = { table: orderbook_topn, columns: COLUMNS, symbol, ...span }
      const rows = await sources
        .symbolHour(hour, { ...args, after: null, limit: Infinity }, budget)
        .catch((error: unknown) => {
          throw error instanceof LakeBudgetError ? tooLarge(wanted, error.message) : error
        })
      for (const row of rows) last.set(startOf(wanted, timeOf(row)), row)
    }
  }
  return [...last.values()]
}

/**
 * From the whole book, replayed. The state of an interval is the book after every diff before its
 * end. Only levels within `range` percent of the mid.
 */
export async function readBookHeatmap(
  source: DepthSource,
  wanted: HeatmapWanted,
  range: number,
): Promise<readonly HeatRow[]> {
  const { from, to, interval_us } = wanted
  const first = await source.snapshotBefore(from)
  const later = await source.snapshotsAfter(
    first?.ts_exchange ?? from,
    micros(to + SNAPSHOT_LATE_US),
  )
  const snapshots = first === undefined ? later : [first, ...later]
  if (snapshots.length === 0) return []
  const replay = new BookReplay()
  replay.addSnapshots(snapshots)
  const heat = new HeatRows(wanted)
  let end = from + interval_us
  const show = (stretch: Stretch | undefined, until: number): void => {
    for (; end <= Math.min(until, to); end += interval_us) {
      if (stretch === undefined || stretch.from >= end) continue
      const { bids, asks } = levelsNear(stretch.book, range)
      heat.add(micros(end - interval_us), bids, asks)
    }
  }
  let diff_count = 0
  const from_ts = Math.min(...snapshots.map(({ ts_exchange }) => ts_exchange))
  const from_id = Math.min(...snapshots.map(({ final_update_id }) => final_update_id))
  const diffs = { from_ts: micros(from_ts - SNAPSHOT_LATE_US), from_id, to_ts: to }
  for await (const diff of source.diffs(diffs)) {
    if (++diff_count > DIFFS_MAX) throw tooLarge(wanted, `more than ${DIFFS_MAX} updates`)
    show(replay.before(diff), diff.ts_exchange)
    if (diff.ts_exchange > to) break
    replay.take(diff)
  }
  if (end <= to) show(replay.end(to), to)
  return heat.rows
}

/** Adds up levels by bin, and limits the cells of an answer. */
class HeatRows {
  readonly rows: HeatRow[] = []
  readonly #wanted: HeatmapWanted
  #cell_count = 0

  constructor(wanted: HeatmapWanted) {
    this.#wanted = wanted
  }

  add(ts: Micros, bids: readonly Level[], asks: readonly Level[]): void {
    const { step } = this.#wanted
    const row = { ts, bid: cellsOf(bids, step), ask: cellsOf(asks, step) }
    this.#cell_count += row.bid.length + row.ask.length
    if (this.#cell_count > CELLS_MAX) {
      throw tooLarge(this.#wanted, `more than ${CELLS_MAX} cells`)
    }
    this.rows.push(row)
  }
}

function cellsOf(levels: readonly Level[], step: Decimal): readonly HeatCell[] {
  const bins = new Map<number, Decimal>()
  for (const [price, qty] of levels) {
    const bin = nearest(binOf(decimalOf(price), step))
    const known = bins.get(bin)
    const exact = decimalOf(qty)
    bins.set(bin, known === undefined ? exact : plus(known, exact))
  }
  return [...bins].toSorted(([a], [b]) => a - b).map(([price, qty]) => [price, nearest(qty)])
}

/** Levels with |price - mid| <= range % of the mid; none if a side is empty. */
function levelsNear(
  { bids, asks }: OrderBook,
  range: number,
): { readonly bids: readonly Level[]; readonly asks: readonly Level[] } {
  const mid = (bids.priceAt(0) + asks.priceAt(0)) / 2
  const most = (mid * range) / 100
  const near = (side: BookSide): readonly Level[] => {
    let count = 0
    while (count < side.level_count && Math.abs(side.priceAt(count) - mid) <= most) count++
    return side.top(count)
  }
  return { bids: near(bids), asks: near(asks) }
}

function levelsIn(row: Row, letter: 'a' | 'b'): readonly Level[] {
  return Array.from({ length: 10 }, (_, i) => [
    row[`${letter}${i + 1}_price`],
    row[`${letter}${i + 1}_qty`],
  ]).filter((level): level is [number, number] => level.every((one) => typeof one === 'number'))
}

function timeOf(row: Row): number {
  return row['ts_exchange'] as number
}

function startOf({ interval_us }: HeatmapWanted, ts: number): number {
  return Math.floor(ts / interval_us) * interval_us
}

function tooLarge({ from, to }: HeatmapWanted, what: string): Problem {
  return new Problem(
    400,
    'heatmap_too_large',
    'The heatmap is too large for one answer.',
    `${toIso(from)} to ${toIso(to)} would read or hold ${what}. Request a shorter range, a longer ` +
      'interval or wider bins.',
  )
}
