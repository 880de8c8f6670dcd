/**
 * Reads the recorded depth of one instrument for core's bookAt, from the database and from hours
 * that were dropped from it. It queries the database first and the list of dropped hours second,
 * for the reason in read-range.ts. Diffs are replayed while they are read, so if their hour is
 * dropped meanwhile, the book is read again from the start.
 */
import { type BookAt, bookAt, type DepthSource, type WantedDiffs } from '#core/book-at.ts'
import type { DepthChange } from '#core/book-sync.ts'
import { OperatorError } from '#core/errors.ts'
import { HOUR_US, hourStart, micros, type Micros } from '#core/time.ts'
import { createBudget, LAKE_LIMITS, LakeBudgetError } from '../lake/budget.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import type { Cursor } from '../tables/cursor.ts'
import { depthChangeOf } from '../tables/depth-change.ts'
import { columnOf, levelsIn, numberIn, releaseLevels, type Row } from '../tables/table.ts'
import { depth } from '../tables/tables.ts'
import type { ArchivedInstrument, Instrument } from './instruments.ts'
import type { RangeSources, ReadRange } from './read-range.ts'

/**
 * How much older than the oldest allowed update a snapshot may be. Snapshots are recorded every few
 * minutes.
 */
export const SNAPSHOT_REACH_US = 3 * HOUR_US
const PAGE_ROWS = 2_000
const ROWS_MAX = 20_000
/** How far after `ts` to search for the next diff, which shows whether `ts` is inside a gap. */
export const NEXT_DIFF_US = HOUR_US

const CHANGE = [
  'ts_exchange',
  'final_update_id',
  'depth_kind',
  'first_update_id',
  'prev_final_update_id',
  'bids',
  'asks',
].map((name) => columnOf(depth, name))

export interface ArchivedDepthOptions {
  readonly instrument: Instrument
  /** Maximum age of the newest update in the book [us]. */
  readonly max_age_us: number
  /** Depth from the database. */
  readonly hot: DepthSource
  readonly sources: Pick<RangeSources, 'now' | 'archivedHours' | 'newestRow'>
  readonly readRange: ReadRange
}

/** An hour left the database while its diffs were read; some of them may be missing. */
class HourDropped extends Error {}

export function archivedBookAt(options: ArchivedDepthOptions, ts: Micros): Promise<BookAt> {
  return withArchivedDepth(options, (source) => bookAt(source, ts))
}

/** `use` is called again if an hour leaves the database while it reads. */
export async function withArchivedDepth<T>(
  options: ArchivedDepthOptions,
  use: (source: DepthSource) => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await use(archivedDepth(options))
    } catch (error) {
      // The next attempt finds the hour in the list, and reads it from the archive.
      if (!(error instanceof HourDropped)) throw error
    }
  }
}

function archivedDepth(options: ArchivedDepthOptions): DepthSource {
  const { instrument, max_age_us, hot, sources, readRange } = options
  const droppedHours = async (from: Micros, to: Micros): Promise<readonly ArchivedHourRow[]> => {
    if (from >= hourStart(sources.now())) return []
    const { exchange } = instrument
    const args = { exchange, table_name: 'depth_events', from, to, limit: 1_000 } as const
    return (await sources.archivedHours(args)).filter((hour) => hour.is_dropped)
  }
  return {
    async snapshotBefore(ts) {
      const oldest = micros(ts - max_age_us - SNAPSHOT_REACH_US)
      const newest = await hot.snapshotBefore(ts)
      // The database may find an older snapshot, but the archive is not searched that far back.
      const found = newest !== undefined && newest.ts_exchange >= oldest ? newest : undefined
      const from = micros(Math.max(oldest, found?.ts_exchange ?? 0))
      const hours = await droppedHours(from, micros(ts + 1))
      for (const hour of hours.toReversed()) {
        const cold = await lastSnapshot(sources, hour, instrument.symbol, ts)
        if (cold !== undefined && cold.ts_exchange >= oldest) return newer(found, cold)
      }
      return found
    },
    async snapshotsAfter(from, to) {
      const snapshots = await hot.snapshotsAfter(from, to)
      const hours = await droppedHours(from, micros(to + 1))
      if (hours.length === 0) return snapshots
      return snapshotsIn(readRange, instrument, micros(from + 1), micros(to + 1))
    },
    async *diffs(wanted) {
      const to = micros(wanted.to_ts + NEXT_DIFF_US)
      const areAllHot = async (): Promise<boolean> =>
        (await droppedHours(wanted.from_ts, to)).length === 0
      if (!(await areAllHot())) return yield* mergedDiffs(readRange, instrument, wanted, to)
      for await (const diff of hot.diffs(wanted)) {
        if (diff.ts_exchange > wanted.to_ts) {
          if (!(await areAllHot())) throw new HourDropped()
          if (diff.ts_exchange < to) yield diff
          return
        }
        yield diff
      }
      if (!(await areAllHot())) throw new HourDropped()
    },
  }
}

export async function lastSnapshot(
  sources: Pick<RangeSources, 'newestRow'>,
  hour: ArchivedHourRow,
  symbol: string,
  ts: Micros,
): Promise<DepthChange | undefined> {
  const args = { table: depth, columns: CHANGE, symbol, from: hour.hour, to: micros(ts + 1) }
  try {
    const budget = createBudget(LAKE_LIMITS)
    const row = await sources.newestRow(hour, args, ['depth_kind', 'snapshot'], budget)
    return row === undefined ? undefined : changeOf(row)
  } catch (error) {
    throw error instanceof LakeBudgetError ? tooFar(error.message) : error
  }
}

/** Diffs in [from_ts, to). `to` is after the requested time, to include the next diff. */
export async function* mergedDiffs(
  readRange: ReadRange,
  instrument: ArchivedInstrument,
  { from_ts, from_id, to_ts }: WantedDiffs,
  to: Micros,
): AsyncGenerator<DepthChange> {
  for await (const { kind, change } of mergedChanges(readRange, instrument, from_ts, to)) {
    if (kind !== 'diff' || change.final_update_id < from_id) continue
    yield change
    if (change.ts_exchange > to_ts) return
  }
}

export async function snapshotsIn(
  readRange: ReadRange,
  instrument: ArchivedInstrument,
  from: Micros,
  to: Micros,
): Promise<readonly DepthChange[]> {
  const snapshots: DepthChange[] = []
  for await (const { kind, change } of mergedChanges(readRange, instrument, from, to)) {
    if (kind === 'snapshot') snapshots.push(change)
  }
  return snapshots
}

/** Hot and cold events, in order of (ts_exchange, final_update_id). */
async function* mergedChanges(
  readRange: ReadRange,
  { id: symbol_id, exchange, symbol }: ArchivedInstrument,
  from: Micros,
  to: Micros,
): AsyncGenerator<{ readonly kind: unknown; readonly change: DepthChange }> {
  let after: Cursor | null = null
  for (let row_count = 0; row_count < ROWS_MAX;) {
    const page = await readRange({
      table: depth,
      columns: CHANGE,
      symbol_id,
      exchange,
      symbol,
      from,
      to,
      after,
      limit: PAGE_ROWS,
    })
    for (const row of page.rows) yield { kind: row['depth_kind'], change: changeOf(row) }
    releaseLevels(page.rows)
    // A page with many levels has fewer rows than its limit.
    row_count += page.rows.length
    after = page.next
    if (after === null) return
  }
  throw tooFar(`more than ${ROWS_MAX} events`)
}

function newer(hot: DepthChange | undefined, cold: DepthChange): DepthChange {
  return hot === undefined || cold.ts_exchange > hot.ts_exchange ? cold : hot
}

function changeOf(row: Row): DepthChange {
  const optional = (name: string): number | null =>
    row[name] === null ? null : numberIn(row, name)
  return depthChangeOf({
    ts_exchange: micros(numberIn(row, 'ts_exchange')),
    final_update_id: numberIn(row, 'final_update_id'),
    first_update_id: optional('first_update_id'),
    prev_final_update_id: optional('prev_final_update_id'),
    bids: levelsIn(row, 'bids'),
    asks: levelsIn(row, 'asks'),
  })
}

function tooFar(what: string): OperatorError {
  return new OperatorError(
    'book_too_far',
    `Rebuilding the book from its last snapshot would read ${what}.`,
    { hint: 'Request a time soon after a snapshot. DEPTH_SNAPSHOT_S is their interval.' },
  )
}
