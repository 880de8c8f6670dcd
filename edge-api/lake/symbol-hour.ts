/** Reads rows of one instrument from one archived hour, in the same form as the database. */
import type { Micros } from '#core/time.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import type { Cursor } from '../tables/cursor.ts'
import { LEVEL_NUMBERS_MAX } from '../tables/page-size.ts'
import {
  compareToCursor,
  type Cell,
  type RangeColumn,
  type RangeTable,
  type Row,
} from '../tables/table.ts'
import type { LakeBudget } from './budget.ts'
import type { ParquetReader } from './parquet-reader.ts'
import type { LakeFile } from './footers.ts'
import type { LakeRows } from './read-group.ts'
import type { Having, WantedRows } from './row-group-plan.ts'

export interface SymbolHourArgs {
  readonly table: RangeTable
  /** Stored columns, including the identity. */
  readonly columns: readonly RangeColumn[]
  readonly symbol: string
  readonly from: Micros
  readonly to: Micros
  readonly after: Cursor | null
  readonly limit: number
}

/** At most `limit` rows in [from, to) after the cursor, in order. Throws LakeBudgetError. */
export async function readSymbolHour(
  reader: ParquetReader,
  hour: ArchivedHourRow,
  args: SymbolHourArgs,
  budget: LakeBudget,
): Promise<readonly Row[]> {
  const { table, columns, from, after, limit } = args
  const start = after === null || after[0] < from ? from : after[0]
  const found = await reader.read(fileOf(hour), wantedRows({ ...args, from: start }), budget)
  const rows: Row[] = []
  for (let i = 0; i < found.row_count && rows.length < limit; i++) {
    const row = rowAt(found, columns, i)
    if (after === null || compareToCursor(table, row, after) > 0) rows.push(row)
  }
  return rows
}

/** The newest row in [from, to); with `having`, the newest match. Throws LakeBudgetError. */
export async function readNewestRow(
  reader: ParquetReader,
  hour: ArchivedHourRow,
  args: Omit<SymbolHourArgs, 'after' | 'limit'>,
  having: Having | undefined,
  budget: LakeBudget,
): Promise<Row | undefined> {
  const wanted = wantedRows({ ...args, limit: 1 })
  const found = await reader.readNewest(fileOf(hour), wanted, having, budget)
  return found.row_count === 0 ? undefined : rowAt(found, args.columns, 0)
}

/** For each time, the newest row in [from, to) before it, by the time. Throws LakeBudgetError. */
export async function readRowsBefore(
  reader: ParquetReader,
  hour: ArchivedHourRow,
  args: Omit<SymbolHourArgs, 'after' | 'limit'> & { readonly times: readonly Micros[] },
  budget: LakeBudget,
): Promise<ReadonlyMap<number, Row>> {
  const wanted = wantedRows({ ...args, limit: Infinity })
  return reader.readBefore(fileOf(hour), wanted, args.times, budget)
}

function fileOf({ object_key, byte_count, version }: ArchivedHourRow): LakeFile {
  return { key: object_key, byte_count, tag: `v${version}` }
}

function wantedRows({
  table,
  columns,
  symbol,
  from,
  to,
  limit,
}: Omit<SymbolHourArgs, 'after'>): WantedRows {
  return {
    where: { symbol },
    time_column: table.identity[0],
    from,
    to,
    columns: columns.map(({ name }) => name),
    row_count: limit,
    list_number_count: LEVEL_NUMBERS_MAX,
  }
}

export function rowAt(found: LakeRows, columns: readonly RangeColumn[], index: number): Row {
  const row: Record<string, Cell> = {}
  for (const { name } of columns) row[name] = found.columns.get(name)?.[index] ?? null
  return row
}
