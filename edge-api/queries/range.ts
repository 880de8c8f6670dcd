/**
 * Rows of one instrument in [from, to), in the order of their identity, after a cursor. The SQL
 * text contains only names of our own tables and columns; values from callers are parameters. The
 * bounds are on the partition key, so Postgres plans and locks only the partitions between them. In
 * a long range a plain statement reads the first hours, which usually fill the page;
 * marketdata.range_rows reads the others and releases its locks as it goes.
 */
import { HOUR_US, hourStart, micros, toIso, type Micros } from '#core/time.ts'
import type { Cursor } from '../tables/cursor.ts'
import { LEVEL_NUMBERS_MAX } from '../tables/page-size.ts'
import { type Cell, columnOf, type ColumnKind, type RangeTable, type Row } from '../tables/table.ts'
import type { Database, Parameter } from './database.ts'

export interface RangeArgs {
  readonly table: RangeTable
  /** Stored columns, including the identity. */
  readonly columns: readonly string[]
  readonly symbol_id: number
  /** Of a table with `intervals`: which one [s]. */
  readonly interval_s?: number | undefined
  readonly from: Micros
  readonly to: Micros
  readonly after: Cursor | null
  readonly limit: number
}

/** Hours that one statement reads. */
const SPAN_HOURS = 8
/** Read through the function market_data_1s_of, which applies the bounds to each of its parts. */
const VIEW = 'market_data_1s'
/** Fewer hours, because the view reads three rollups and three raw tables. */
const VIEW_SPAN_HOURS = 2

export async function selectRange(db: Database, args: RangeArgs): Promise<readonly Row[]> {
  const { table, after, to, limit, symbol_id, interval_s } = args
  // A page begins where the one before it ended.
  const from = after === null ? args.from : micros(Math.max(args.from, after[0]))
  const end = micros(Math.min(to, hourStart(from) + spanHours(table) * HOUR_US))
  const cursor_parts = after === null ? [] : after.map((part, i) => parameterOf(table, i, part))
  const first = await db.query<Row>(pageSql(args, rowsSql, LEVEL_NUMBERS_MAX), [
    symbol_id,
    toIso(from),
    toIso(end),
    limit,
    ...cursor_parts,
    ...(interval_s === undefined ? [] : [interval_s]),
  ])
  const numbers_left = LEVEL_NUMBERS_MAX - countLevelNumbers(args, first)
  if (end >= to || first.length >= limit || numbers_left <= 0) return first
  const rest = await db.query<Row>(pageSql(args, laterRowsSql, numbers_left), [
    symbol_id,
    toIso(end),
    toIso(to),
    limit - first.length,
  ])
  return [...first, ...rest]
}

/** A table without partitions is read by its key, however long the range is. */
function spanHours({ relation, archived }: RangeTable): number {
  if (archived.length === 0) return Infinity
  return relation === VIEW ? VIEW_SPAN_HOURS : SPAN_HOURS
}

/** Builds a statement that selects these columns or expressions. */
type RowsSql = (args: RangeArgs, selected: readonly string[]) => string

/**
 * A row can have any number of levels, so the database sums them up and stops once the rows before
 * the last one fill a page. No answer is then too large.
 */
function pageSql(args: RangeArgs, rows: RowsSql, numbers_max: number): string {
  const { table, columns } = args
  const levels = levelsOf(args)
  if (levels.length === 0) return rows(args, columns)
  const order = table.identity.join(', ')
  const numbers = levels.map((name) => `coalesce(cardinality(${name}), 0)`).join(' + ')
  const before = `sum(${numbers}) over (
  order by ${order} rows between unbounded preceding and 2 preceding) as numbers_before`
  return `
select ${columns.join(', ')}
from (${rows(args, [...columns, before])}) page
where coalesce(numbers_before, 0) < ${numbers_max}
order by ${order}`
}

function rowsSql({ table, after, interval_s }: RangeArgs, selected: readonly string[]): string {
  const [time] = table.identity
  const order = table.identity.join(', ')
  const parts = table.identity.map((name, i) => `$${i + 5}::${CASTS[columnOf(table, name).kind]}`)
  const after_cursor = after === null ? '' : `\n  and (${order}) > (${parts.join(', ')})`
  const place = after === null ? 5 : 5 + after.length
  const of_interval = interval_s === undefined ? '' : `\n  and interval_s = $${place}::int`
  return `
select ${selected.join(', ')}
from marketdata.${table.relation === VIEW ? `${VIEW}_of($1, $2, $3)` : table.relation}
where symbol_id = $1 and ${time} >= $2::timestamptz and ${time} < $3::timestamptz${after_cursor}${of_interval}
order by ${order}
limit $4::int`
}

/** The same for any number of hours; range_rows reads a few of them at a time. */
function laterRowsSql({ table, columns }: RangeArgs, selected: readonly string[]): string {
  const list = (names: readonly string[]): string =>
    `array[${names.map((name) => `'${name}'`).join(', ')}]`
  const typed = columns.map((name) => `${name} ${TYPES[columnOf(table, name).kind]}`)
  return `
select ${selected.join(', ')}
from marketdata.range_rows('${table.relation}', ${list(columns)}, ${list(table.identity)},
  $1, $2::timestamptz, $3::timestamptz, $4::int) as later (${typed.join(', ')})`
}

function levelsOf({ table, columns }: RangeArgs): readonly string[] {
  return columns.filter((name) => columnOf(table, name).kind === 'levels')
}

function countLevelNumbers(args: RangeArgs, rows: readonly Row[]): number {
  const levels = levelsOf(args)
  return rows.reduce(
    (sum, row) => levels.reduce((of_row, name) => of_row + lengthOf(row[name]), sum),
    0,
  )
}

function lengthOf(cell: Cell | undefined): number {
  return cell instanceof Float64Array ? cell.length : 0
}

const CASTS: { readonly [kind in ColumnKind]: string } = {
  time: 'timestamptz',
  id: 'bigint',
  price: 'double precision',
  qty: 'double precision',
  number: 'double precision',
  flag: 'boolean',
  text: 'text',
  levels: 'double precision[]',
}

/** Types of declared result columns: text sorts by its bytes. */
const TYPES = { ...CASTS, text: 'text collate "C"' }

function parameterOf(table: RangeTable, index: number, part: number | string): Parameter {
  const { kind } = columnOf(table, table.identity[index]!)
  return kind === 'time' ? toIso(micros(part as number)) : part
}
