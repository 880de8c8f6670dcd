/**
 * Rows of one instrument in [from, to), in the order of their identity and behind a cursor. The
 * text is made of the names of our own tables and columns alone; what callers send is a parameter.
 * The bounds are on the partition key, so only their partitions are planned.
 */
import { micros, toIso, type Micros } from '#core/time.ts'
import type { Cursor } from '../cursor.ts'
import type { Database, Parameter } from '../database.ts'
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

function rangeSql({ table, columns, after }: RangeArgs): string {
  const [time] = table.identity
  const order = table.identity.join(', ')
  const parts = table.identity.map((name, i) => `$${i + 5}::${CASTS[columnOf(table, name).kind]}`)
  const behind = after === null ? '' : `\n  and (${order}) > (${parts.join(', ')})`
  return `
select ${columns.join(', ')}
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
