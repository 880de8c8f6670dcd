/**
 * Describes what a range route serves: a relation of the database, its columns and the order of its
 * rows. Reading is in ../range/read-range.ts, writing the answer in ../formats/.
 */
import type { ArchivedTable } from '#core/archived-tables.ts'
import { micros } from '#core/time.ts'
import { RAW_TABLES, type Column, type RawChannel } from '#core/tables.ts'
import { releaseWhole } from '../memory/release.ts'
import type { Cursor, CursorPart, PartKind } from './cursor.ts'
import type { Decimals } from '#core/decimal-text.ts'

/** `price` and `qty` are decimal text in text formats; `number` is a plain number. */
export type ColumnKind = 'time' | 'id' | 'price' | 'qty' | 'number' | 'flag' | 'text' | 'levels'

/** Levels are flat: price, quantity, price, quantity … Pairs would take ten times the memory. */
export type Cell = number | string | boolean | null | Float64Array
/** Cells by column name. Times are microseconds. */
export type Row = Readonly<Record<string, Cell>>

export interface RangeColumn {
  readonly name: string
  readonly kind: ColumnKind
  readonly nullable: boolean
  readonly unit: string
  readonly description: string
  /** Set if the column is not stored but computed from others: `text` gives a decimal, or null. */
  readonly derived?: {
    readonly from: readonly string[]
    text(row: Row, decimals: Decimals): string | null
  }
}

/** A column that is stored. */
export function storedColumn(
  name: string,
  kind: ColumnKind,
  unit: string,
  description: string,
  nullable = true,
): RangeColumn {
  return { name, kind, nullable, unit, description }
}

/** An archived table that provides some or all columns of a RangeTable. */
export interface ArchivedPart {
  readonly table_name: ArchivedTable
  /** Columns that this part provides; undefined: all. */
  readonly columns: readonly string[] | undefined
  /** The column that is null if the part has no row; undefined if there is only one part. */
  readonly present: string | undefined
}

export interface RangeTable {
  /** Name of the route: /v1/<name>/{symbol}. */
  readonly name: string
  /** Name of a row in the docs. */
  readonly row_name: string
  readonly summary: string
  /** Added to the route's description. */
  readonly note?: string
  /** Length of the range if the caller gives no `from`; not of tables with `intervals`. */
  readonly default_span_us: number
  /**
   * The route's parameter `interval`: its words and what interval_s is [s]. The first is standard.
   */
  readonly intervals?: Readonly<Record<string, number>>
  /** Relation in schema marketdata; it has symbol_id. */
  readonly relation: string
  /**
   * The archived tables that hold its finished hours. Empty: the relation has no partitions, and
   * its rows never leave Postgres.
   */
  readonly archived: readonly ArchivedPart[]
  /** In the order of the answer. */
  readonly columns: readonly RangeColumn[]
  /** Sort key of a symbol's rows: the time, then columns that distinguish rows of the same time. */
  readonly identity: readonly [string, ...string[]]
  /** The dataset that holds whole days of it; null if none does. */
  readonly dataset: string | null
}

/**
 * Stored columns that must be read to answer with the wanted columns: their inputs, the identity,
 * and the `present` column of each part.
 */
export function storedColumns(
  table: RangeTable,
  wanted: readonly RangeColumn[],
): readonly RangeColumn[] {
  const names = new Set<string>(table.identity)
  for (const column of wanted) {
    for (const name of column.derived?.from ?? [column.name]) names.add(name)
  }
  for (const { present } of table.archived) if (present !== undefined) names.add(present)
  return table.columns.filter((column) => names.has(column.name) && column.derived === undefined)
}

export function cursorOf(table: RangeTable, row: Row): Cursor {
  const [time, ...others] = table.identity
  return [micros(numberIn(row, time)), ...others.map((name) => partIn(row, name))]
}

/** A cell of a column that is a number in every row. */
export function numberIn(row: Row, name: string): number {
  const cell = row[name]
  if (typeof cell === 'number') return cell
  throw new TypeError(`${name} is ${typeof cell} in a row, expected a number`)
}

/** Price, quantity, price, quantity … */
export function levelsIn(row: Row, name: string): Float64Array {
  const cell = row[name]
  if (cell instanceof Float64Array) return cell
  throw new TypeError(`${name} is ${typeof cell} in a row, expected levels`)
}

function partIn(row: Row, name: string): CursorPart {
  const cell = row[name]
  if (typeof cell === 'number' || typeof cell === 'string') return cell
  throw new TypeError(`${name} is ${typeof cell} in a row, expected a number or a text`)
}

export function cursorKinds(table: RangeTable): readonly PartKind[] {
  return table.identity.map((name) => partKind(columnOf(table, name).kind))
}

export function columnOf(table: RangeTable, name: string): RangeColumn {
  return table.columns.find((column) => column.name === name)!
}

function partKind(kind: ColumnKind): PartKind {
  switch (kind) {
    case 'time':
    case 'id':
      return kind
    case 'text':
      return 'word'
    default:
      return 'number'
  }
}

/** Negative, 0 or positive if the row is before, at or after the cursor. */
export function compareToCursor(table: RangeTable, row: Row, cursor: Cursor): number {
  for (const [index, name] of table.identity.entries()) {
    const [own, other] = [row[name] as number | string, cursor[index]!]
    // Text compares by bytes, like the database's collation "C".
    if (own !== other) return own < other ? -1 : 1
  }
  return 0
}

/** The columns of a raw table that callers get: all except symbol_id, which is internal. */
export function rawColumns(channel: RawChannel): readonly RangeColumn[] {
  return RAW_TABLES[channel].columns.flatMap((column) => {
    const { name, nullable, unit, description } = column
    if (name === 'symbol_id') return []
    return [{ name, nullable, unit, description, kind: kindOf(column) }]
  })
}

function kindOf({ type, unit }: Column): ColumnKind {
  switch (type) {
    case 'timestamptz':
      return 'time'
    case 'int8':
      return 'id'
    case 'bool':
      return 'flag'
    case 'text':
      return 'text'
    case 'levels':
      return 'levels'
    case 'float8':
      return unit === 'quote asset' ? 'price' : unit === 'base asset' ? 'qty' : 'number'
  }
}

/** Frees the memory of the rows' levels at once. They cannot be read afterwards. */
export function releaseLevels(rows: readonly Row[]): void {
  for (const row of rows) releaseWhole(Object.values(row))
}
