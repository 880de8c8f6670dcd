/**
 * Rows of one instrument in [from, to), in the order of their identity and behind a cursor. The
 * text is made of the names of our own tables and columns alone; what callers send is a parameter.
 * The bounds are on the partition key, so only their partitions are planned, and locked: of a long
 * range the first hours are read by a plain statement, which usually fill the page, and the others
 * by marketdata.range_rows, which gives its locks back.
 */
import { HOUR_US, hourStart, micros, toIso, type Micros } from '#core/time.ts'
import type { Cursor } from '../tables/cursor.ts'
import { LEVEL_NUMBERS_MAX } from '../tables/page-size.ts'
import {
  type Cell,
  columnOf,
  type ColumnKind,
  type RangeTable,
  type Row,
} from '../tables/table.ts'
import type { Database, Parameter } from './database.ts'

export interface RangeArgs {
  readonly table: RangeTable
  /** Stored columns, the identity among them. */
  readonly columns: readonly string[]
  readonly symbol_id: number
  readonly from: Micros
  readonly to: Micros
  readonly after: Cursor | null
  readonly limit: number
}

/** Hours that one statement reads. */
const SPAN_HOURS = 8
/** Read by the function of its name, which has the bounds in every part of it. */
const VIEW = 'market_data_1s'
/** The view reads three rollups and the tables of their newest seconds. */
const VIEW_SPAN_HOURS = 2

export async function selectRange(db: Database, args: RangeArgs): Promise<readonly Row[]> {
  const { table, after, to, limit, symbol_id } = args
  // A page begins where the one before it ended.
  const from = after === null ? args.from : micros(Math.max(args.from, after[0]))
  const hour_count = table.relation === VIEW ? VIEW_SPAN_HOURS : SPAN_HOURS
  const end = micros(Math.min(to, hourStart(from) + hour_count * HOUR_US))
  const behind = after === null ? [] : after.map((part, i) => parameterOf(table, i, part))
  const first = await db.query<Row>(pageSql(args, rowsSql, LEVEL_NUMBERS_MAX), [
    symbol_id,
    toIso(from),
    toIso(end),
    limit,
    ...behind,
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

/** The names of the selected columns, or more than these, as a statement. */
type RowsSql = (args: RangeArgs, selected: readonly string[]) => string

/**
 * Levels are of any number: rows are given until those before the last but one fill a page, and
 * their sum is taken in the database, so that no answer is made that would be too large.
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

function rowsSql({ table, after }: RangeArgs, selected: readonly string[]): string {
  const [time] = table.identity
  const order = table.identity.join(', ')
  const parts = table.identity.map((name, i) => `$${i + 5}::${CASTS[columnOf(table, name).kind]}`)
  const behind = after === null ? '' : `\n  and (${order}) > (${parts.join(', ')})`
  return `
select ${selected.join(', ')}
from marketdata.${table.relation === VIEW ? `${VIEW}_of($1, $2, $3)` : table.relation}
where symbol_id = $1 and ${time} >= $2::timestamptz and ${time} < $3::timestamptz${behind}
order by ${order}
limit $4::int`
}

/** The same of any number of hours, some of them after the other. */
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

/** As columns are declared: texts are in the order of their bytes. */
const TYPES = { ...CASTS, text: 'text collate "C"' }

function parameterOf(table: RangeTable, index: number, part: number | string): Parameter {
  const { kind } = columnOf(table, table.identity[index]!)
  return kind === 'time' ? toIso(micros(part as number)) : part
}
