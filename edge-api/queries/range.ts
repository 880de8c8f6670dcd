/**
 * Rows of one instrument in [from, to), in the order of their identity and behind a cursor. The
 * text is made of the names of our own tables and columns alone; what callers send is a parameter.
 * The bounds are on the partition key, so only their partitions are planned.
 */
import { micros, toIso, type Micros } from '#core/time.ts'
import type { Cursor } from '../cursor.ts'
import type { Database, Parameter } from '../database.ts'
import { LEVEL_NUMBERS_MAX } from '../range/page-size.ts'
import { columnOf, type ColumnKind, type RangeTable, type Row } from '../range/table.ts'

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

export function selectRange(db: Database, args: RangeArgs): Promise<readonly Row[]> {
  const { table, after } = args
  // A page begins where the one before it ended.
  const from = after === null ? args.from : micros(Math.max(args.from, after[0]))
  const behind = after === null ? [] : after.map((part, i) => parameterOf(table, i, part))
  return db.query<Row>(rangeSql(args), [
    args.symbol_id,
    toIso(from),
    toIso(args.to),
    args.limit,
    ...behind,
  ])
}

/**
 * Levels are of any number: rows are given until those before the last but one fill a page, and
 * their sum is taken in the database, so that no answer is made that would be too large.
 */
function rangeSql(args: RangeArgs): string {
  const { table, columns } = args
  const levels = columns.filter((name) => columnOf(table, name).kind === 'levels')
  if (levels.length === 0) return rowsSql(args, columns)
  const order = table.identity.join(', ')
  const numbers = levels.map((name) => `coalesce(cardinality(${name}), 0)`).join(' + ')
  const before = `sum(${numbers}) over (
  order by ${order} rows between unbounded preceding and 2 preceding) as numbers_before`
  return `
select ${columns.join(', ')}
from (${rowsSql(args, [...columns, before])}) page
where coalesce(numbers_before, 0) < ${LEVEL_NUMBERS_MAX}
order by ${order}`
}

function rowsSql({ table, after }: RangeArgs, selected: readonly string[]): string {
  const [time] = table.identity
  const order = table.identity.join(', ')
  const parts = table.identity.map((name, i) => `$${i + 5}::${CASTS[columnOf(table, name).kind]}`)
  const behind = after === null ? '' : `\n  and (${order}) > (${parts.join(', ')})`
  return `
select ${selected.join(', ')}
from marketdata.${table.relation}
where symbol_id = $1 and ${time} >= $2::timestamptz and ${time} < $3::timestamptz${behind}
order by ${order}
limit $4::int`
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

function parameterOf(table: RangeTable, index: number, part: number | string): Parameter {
  const { kind } = columnOf(table, table.identity[index]!)
  return kind === 'time' ? toIso(micros(part as number)) : part
}
