/**
 * The recorded depth of one instrument wherever it lies, as core's bookAt reads it: what the
 * database has and what of it was dropped. The database is asked first and for what was dropped
 * afterwards, for the reason of read-range.ts.
 */
import type { DepthSource, WantedDiffs } from '#core/book-at.ts'
import type { DepthChange } from '#core/book-sync.ts'
import { OperatorError } from '#core/errors.ts'
import { HOUR_US, hourStart, micros, type Micros } from '#core/time.ts'
import { createBudget, LAKE_LIMITS, LakeBudgetError } from '../lake/budget.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import type { Cursor } from '../tables/cursor.ts'
import { depthChangeOf, type DepthRow } from '../tables/depth-change.ts'
import { columnOf, releaseLevels, type Row } from '../tables/table.ts'
import { depth } from '../tables/tables.ts'
import type { ArchivedInstrument, Instrument } from './instruments.ts'
import type { RangeSources, ReadRange } from './read-range.ts'

/**
 * How long before the oldest change that counts its snapshot may have been made: a book is
 * snapshotted every few minutes.
 */
export const SNAPSHOT_REACH_US = 3 * HOUR_US
const PAGE_ROWS = 2_000
const ROWS_MAX = 20_000
/** How far behind the moment the diff is looked for that tells whether it lies in a hole. */
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
  /** A book whose last change is older is not wanted [us]. */
  readonly max_age_us: number
  /** What the database has. */
  readonly hot: DepthSource
  readonly sources: Pick<RangeSources, 'now' | 'archivedHours' | 'newestRow'>
  readonly readRange: ReadRange
}

export function archivedDepth(options: ArchivedDepthOptions): DepthSource {
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
      // However far back the database could look: the archive is asked no further.
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
      const hours = await droppedHours(from, micros(to + 1))
      if (hours.length === 0) return hot.snapshotsAfter(from, to)
      return snapshotsIn(readRange, instrument, micros(from + 1), micros(to + 1))
    },
    async *diffs(wanted) {
      const to = micros(wanted.to_ts + NEXT_DIFF_US)
      const hours = await droppedHours(wanted.from_ts, to)
      if (hours.length > 0) yield* mergedDiffs(readRange, instrument, wanted, to)
      else {
        for await (const diff of hot.diffs(wanted)) if (diff.ts_exchange < to) yield diff
      }
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

/** Rows of [from_ts, to): `to` lies behind the moment, so that the next diff can be told. */
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

/** Hot and cold, in order of (ts_exchange, final_update_id). */
async function* mergedChanges(
  readRange: ReadRange,
  { id: symbol_id, exchange, symbol }: ArchivedInstrument,
  from: Micros,
  to: Micros,
): AsyncGenerator<{ readonly kind: unknown; readonly change: DepthChange }> {
  let after: Cursor | null = null
  for (let row_count = 0; row_count < ROWS_MAX; ) {
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
    // A page of many levels has fewer rows than were asked for.
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
  return depthChangeOf(row as unknown as DepthRow)
}

function tooFar(what: string): OperatorError {
  return new OperatorError(
    'book_too_far',
    `Between the last snapshot of the book and that moment lie ${what}.`,
    {
      hint: 'Ask for a moment soon after a snapshot; DEPTH_SNAPSHOT_S says how often there is one.',
    },
  )
}
