/** Rows of one instrument in one archived hour, as the database would have given them. */
import type { Level } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { Cursor } from '../cursor.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import {
  compareToCursor,
  type Cell,
  type RangeColumn,
  type RangeTable,
  type Row,
} from '../range/table.ts'
import type { LakeBudget } from './budget.ts'
import type { LakeRows, ParquetReader } from './parquet-reader.ts'

export interface SymbolHourArgs {
  readonly table: RangeTable
  /** Stored columns, the identity among them. */
  readonly columns: readonly RangeColumn[]
  readonly symbol: string
  readonly from: Micros
  readonly to: Micros
  readonly after: Cursor | null
  readonly limit: number
}

/** At most `limit` rows in [from, to) behind the cursor, in order. Throws LakeBudgetError. */
export async function readSymbolHour(
  reader: ParquetReader,
  hour: ArchivedHourRow,
  args: SymbolHourArgs,
  budget: LakeBudget,
): Promise<readonly Row[]> {
  const { table, columns, from, to, after, limit } = args
  const [time_column] = table.identity
  const file = {
    key: hour.object_key,
    byte_count: hour.byte_count,
    tag: `v${hour.version}`,
  }
  const found = await reader.read(
    file,
    {
      where: { symbol: args.symbol },
      time_column,
      from: after === null || after[0] < from ? from : after[0],
      to,
      columns: columns.map(({ name }) => name),
      row_count: limit,
    },
    budget,
  )
  const rows: Row[] = []
  for (let i = 0; i < found.row_count && rows.length < limit; i++) {
    const row = rowAt(found, columns, i)
    if (after === null || compareToCursor(table, row, after) > 0) rows.push(row)
  }
  return rows
}

export function rowAt(found: LakeRows, columns: readonly RangeColumn[], index: number): Row {
  const row: Record<string, Cell> = {}
  for (const { name, kind } of columns) {
    const value = found.columns.get(name)?.[index] ?? null
    row[name] = value === null ? null : cellOf(value, kind)
  }
  return row
}

function cellOf(value: unknown, kind: RangeColumn['kind']): Cell {
  if (typeof value === 'bigint') return Number(value)
  return kind === 'levels' ? (value as readonly LevelStruct[]).map(levelOf) : (value as Cell)
}

interface LevelStruct {
  readonly price: number
  readonly qty: number
}

function levelOf({ price, qty }: LevelStruct): Level {
  return [price, qty]
}
