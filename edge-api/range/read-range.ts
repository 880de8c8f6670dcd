/**
 * A page of rows from the database (hot), the archive (cold), or both.
 *
 * Invariants
 * 1. No row is missing. The database is queried for the rows first and for the list of dropped
 *    hours second, in two statements. An hour that is dropped in between is in both answers, never
 *    in neither. (One snapshot for both would be wrong: a dropped partition is gone for every later
 *    statement, whatever its snapshot.)
 * 2. No row is a duplicate: the sources are merged by the rows' identity.
 * 3. Each source gives its first rows after the cursor: `limit` + 1, or enough that their levels
 *    fill a page plus one. The page is the first merged rows that fit.
 */
import type { ArchivedTable } from '#core/archived-tables.ts'
import { OperatorError } from '#core/errors.ts'
import { HOUR_US, hourStart, micros, toIso, type Micros } from '#core/time.ts'
import { createBudget, LAKE_LIMITS, LakeBudgetError, type LakeBudget } from '../lake/budget.ts'
import type { Having } from '../lake/row-group-plan.ts'
import type { SymbolHourArgs } from '../lake/symbol-hour.ts'
import { Problem } from '../problem.ts'
import type { ArchivedHourRow, ArchivedHoursArgs } from '../queries/archived-hours.ts'
import type { RangeArgs } from '../queries/range.ts'
import type { Cursor } from '../tables/cursor.ts'
import { countThatFits, rowsThatFit } from '../tables/page-size.ts'
import {
  cursorOf,
  storedColumns,
  type ArchivedPart,
  type RangeColumn,
  type RangeTable,
  type Row,
} from '../tables/table.ts'
import { isAway } from './instruments.ts'
import { mergePart } from './merge.ts'

export interface RangeWanted {
  readonly table: RangeTable
  readonly columns: readonly RangeColumn[]
  /** Null if the database did not respond: then only archived rows can be read. */
  readonly symbol_id: number | null
  readonly exchange: string
  readonly symbol: string
  /** Of a table with `intervals`: which one [s]. */
  readonly interval_s?: number | undefined
  readonly from: Micros
  readonly to: Micros
  readonly after: Cursor | null
  readonly limit: number
  /**
   * A page ends between two times, never between rows of one time. It has fewer rows than `limit`,
   * or more if that many share one time.
   */
  readonly whole_times?: boolean
}

export interface RangePage {
  readonly rows: readonly Row[]
  /** The position after the last row; null if there are no more rows. */
  readonly next: Cursor | null
  /**
   * The archived hours that the page covers, with their versions. Null if part of the page is not
   * archived. A page that is all archived changes only with these versions or with late rows.
   */
  readonly archive_version: string | null
  /** Where it was read: the database, the archive, or both. */
  readonly source: 'hot' | 'cold' | 'both'
}

export type ReadRange = (wanted: RangeWanted) => Promise<RangePage>

export interface RangeSources {
  now(): Micros
  hot(args: RangeArgs): Promise<readonly Row[]>
  archivedHours(args: ArchivedHoursArgs): Promise<readonly ArchivedHourRow[]>
  /** The same from the store, without the database, for at most `day_count_max` days. */
  archivedHoursOfStore(args: {
    readonly exchange: string
    readonly table_name: ArchivedTable
    readonly from: Micros
    readonly to: Micros
    readonly day_count_max: number
  }): Promise<readonly ArchivedHourRow[]>
  symbolHour(
    hour: ArchivedHourRow,
    args: SymbolHourArgs,
    budget: LakeBudget,
  ): Promise<readonly Row[]>
  /** The newest row of the hour; with `having`, the newest one with this text value. */
  newestRow(
    hour: ArchivedHourRow,
    args: Omit<SymbolHourArgs, 'after' | 'limit'>,
    having: Having | undefined,
    budget: LakeBudget,
  ): Promise<Row | undefined>
}

/** Six weeks. If a page is not full by then, the caller must split the range. */
const HOURS_MAX = 1_000
const DAYS_MAX = 31

/** Rows of one time on a page of whole times. */
const TIME_ROWS_MAX = 40_000

export function createRangeReader(sources: RangeSources): ReadRange {
  const read = createPageReader(sources)
  return async (asked) => {
    const page = await read(asked)
    if (asked.whole_times !== true || !page.splits_time) return page
    // All rows of the page share their time with the row after it.
    const [ts] = page.next!
    const limit = Math.min(TIME_ROWS_MAX, asked.limit * 4)
    const alone = { ...asked, to: micros(ts + 1), limit }
    const whole = limit > asked.limit ? await createRangeReader(sources)(alone) : page
    return whole.next === null ? { ...whole, next: page.next && cursorAfter(whole, asked) } : whole
  }
}

/** The page ends with every row of its time. */
function cursorAfter({ rows }: RangePage, { table }: RangeWanted): Cursor {
  return cursorOf(table, rows.at(-1)!)
}

type SplitPage = RangePage & {
  /** The last row and the one after the page have the same time, and no page would be shorter. */
  readonly splits_time: boolean
}

function createPageReader(sources: RangeSources): (wanted: RangeWanted) => Promise<SplitPage> {
  return async (asked) => {
    const wanted = { ...asked, limit: rowsThatFit(asked.columns, asked.limit) }
    const start = startOf(wanted)
    const hot = await readHot(sources, wanted)
    if (wanted.table.archived.length === 0) {
      if (hot.kind === 'away') throw hot.error
      // Only an import changes rows, so they count as settled.
      return pageOf(wanted, hot.rows, [], 'hot')
    }
    // Only finished hours are archived.
    if (start >= hourStart(sources.now())) {
      if (hot.kind === 'away') throw hot.error
      return pageOf(wanted, hot.rows, null, 'hot')
    }
    const { to } = wanted
    if (hot.kind === 'away') {
      const parts = await partsOf(wanted, (args) =>
        sources.archivedHoursOfStore({ ...args, day_count_max: DAYS_MAX }),
      )
      if (!parts.every(({ hours }) => coversAll(hours, start, to))) throw hot.error
      return pageOf(wanted, await readCold(sources, wanted, parts, []), null, 'cold')
    }
    const parts = await partsOf(wanted, (args) =>
      sources.archivedHours({ ...args, limit: HOURS_MAX }),
    )
    const known_to = parts.reduce(
      (least, { hours }) =>
        hours.length < HOURS_MAX ? least : micros(Math.min(least, hours.at(-1)!.hour + HOUR_US)),
      to,
    )
    const dropped = parts.map(({ part, hours }) => ({
      part,
      hours: hours.filter(({ hour, is_dropped }) => is_dropped && hour < known_to),
    }))
    const hot_rows = hot.rows.filter((row) => timeOf(wanted.table, row) < known_to)
    const rows = await readCold(sources, wanted, dropped, hot_rows)
    if (known_to < to && !isFull(rows, wanted)) {
      throw tooMuch(wanted, `more than ${HOURS_MAX} hours`, known_to)
    }
    const is_hot = dropped.every(({ hours }) => hours.length === 0)
    const source = is_hot ? 'hot' : hot_rows.length === 0 ? 'cold' : 'both'
    return pageOf(wanted, rows, parts, source)
  }
}

interface PartHours {
  readonly part: ArchivedPart
  readonly hours: readonly ArchivedHourRow[]
}

function partsOf(
  wanted: RangeWanted,
  hoursOf: (args: Omit<ArchivedHoursArgs, 'limit'>) => Promise<readonly ArchivedHourRow[]>,
): Promise<readonly PartHours[]> {
  const { table, exchange, to } = wanted
  const args = { exchange, from: startOf(wanted), to }
  return Promise.all(
    table.archived.map(async (part) => {
      return { part, hours: await hoursOf({ ...args, table_name: part.table_name }) }
    }),
  )
}

type Hot =
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  | { readonly kind: 'away'; readonly error: unknown }

async function readHot(sources: RangeSources, wanted: RangeWanted): Promise<Hot> {
  const { table, columns, symbol_id, interval_s, from, to, after, limit } = wanted
  if (symbol_id === null) return { kind: 'away', error: databaseAway() }
  const names = storedColumns(table, columns).map(({ name }) => name)
  try {
    const args = { table, columns: names, symbol_id, interval_s, from, to, after, limit: limit + 1 }
    return { kind: 'rows', rows: await sources.hot(args) }
  } catch (error) {
    if (isAway(error)) return { kind: 'away', error }
    throw error
  }
}

/** Rows of these hours, merged with the hot rows: at least as many as the page needs. */
async function readCold(
  sources: RangeSources,
  wanted: RangeWanted,
  parts: readonly PartHours[],
  hot: readonly Row[],
): Promise<readonly Row[]> {
  const { table, limit } = wanted
  const columns = storedColumns(table, wanted.columns)
  const budget = createBudget(LAKE_LIMITS)
  const last_hot = hot.length > limit ? timeOf(table, hot.at(-1)!) : Infinity
  const cold = await Promise.all(
    parts.map((part) => readPart(sources, wanted, part, { columns, last_hot, budget })),
  )
  const names = columns.map(({ name }) => name)
  return parts.reduce((rows, { part }, i) => mergePart(table, rows, part, cold[i]!, names), hot)
}

interface ColdRead {
  readonly columns: readonly RangeColumn[]
  /** Time of the last hot row; no later row is needed. */
  readonly last_hot: number
  readonly budget: LakeBudget
}

/** The part's first rows: one more than a page, if there are that many. */
async function readPart(
  sources: RangeSources,
  wanted: RangeWanted,
  { part, hours }: PartHours,
  { columns: stored, last_hot, budget }: ColdRead,
): Promise<readonly Row[]> {
  const { table, symbol, from, to, after, limit } = wanted
  const columns = stored.filter(({ name }) => part.columns?.includes(name) ?? true)
  const rows: Row[] = []
  for (const hour of hours) {
    if (isFull(rows, wanted) || hour.hour > last_hot) break
    const args = { table, columns, symbol, from, to, after, limit: limit + 1 - rows.length }
    try {
      rows.push(...(await sources.symbolHour(hour, args, budget)))
    } catch (error) {
      if (error instanceof LakeBudgetError) throw tooMuch(wanted, error.message, hour.hour)
      throw error
    }
  }
  return rows
}

function pageOf(
  wanted: RangeWanted,
  found: readonly Row[],
  parts: readonly PartHours[] | null,
  source: RangePage['source'],
): SplitPage {
  const { table, to } = wanted
  const is_full = isFull(found, wanted)
  const page = is_full ? found.slice(0, pageLength(found, wanted)) : found
  const after_ts = is_full ? timeOf(table, found[page.length]!) : Infinity
  const whole = page.filter((row) => timeOf(table, row) < after_ts)
  const splits_time = whole.length === 0 && is_full
  const rows = wanted.whole_times === true && !splits_time ? whole : page
  const last = rows.at(-1)
  const next = is_full ? cursorOf(table, last!) : null
  const end = next === null ? to : micros(timeOf(table, last!) + 1)
  const versions = parts?.map(({ hours }) => versionsOf(hours, startOf(wanted), end)) ?? [null]
  const archive_version = versions.includes(null) ? null : versions.join(', ')
  return { rows, next, archive_version, source, splits_time }
}

/** Number of the rows that belong to the page. */
function pageLength(found: readonly Row[], { columns, limit }: RangeWanted): number {
  return Math.min(limit, countThatFits(found, columns))
}

function isFull(found: readonly Row[], wanted: RangeWanted): boolean {
  return found.length > pageLength(found, wanted)
}

/** Null if an hour of the span is not archived. */
function versionsOf(hours: readonly ArchivedHourRow[], start: Micros, end: Micros): string | null {
  const inside = hours.filter(({ hour }) => hour < end)
  if (!coversAll(inside, start, end)) return null
  return inside.map(({ hour, version }) => `${toIso(hour).slice(0, 13)}=${version}`).join(' ')
}

/** Whether the hours cover the span. `hours` are in order and all overlap it. */
export function coversAll(hours: readonly ArchivedHourRow[], start: Micros, end: Micros): boolean {
  return hours.length === (hourStart(micros(end - 1)) - hourStart(start)) / HOUR_US + 1
}

function startOf({ from, after }: RangeWanted): Micros {
  return after === null || after[0] < from ? from : after[0]
}

function timeOf(table: RangeTable, row: Row): Micros {
  return row[table.identity[0]] as Micros
}

export function databaseAway(): OperatorError {
  return new OperatorError('database_unreachable', 'The database does not respond.', {
    hint: 'Try again in a few seconds.',
    retryable: true,
  })
}

/** `reached`: the range could be read up to this time. */
function tooMuch(wanted: RangeWanted, what: string, reached: Micros): Problem {
  const { dataset } = wanted.table
  const start = startOf(wanted)
  const parts = reached > start ? `in parts, the first with to=${toIso(reached)}, or ` : ''
  const files =
    dataset === null
      ? '/v1/datasets lists files of whole days.'
      : `/v1/datasets/${dataset} has whole days as files.`
  return new Problem(
    400,
    'range_too_large',
    'The range is too large for one answer.',
    `${toIso(start)} to ${toIso(wanted.to)} would read ${what}. Request it ${parts}with a lower ` +
      `limit or fewer columns. ${files}`,
  )
}
