/**
 * What a route of rows in a range of time serves: a relation of the database, its columns and the
 * order of its rows. Reading is read-range.ts' affair, writing the answer that of ../formats/.
 */
import type { ArchivedTable } from '#core/archived-tables.ts'
import { RAW_TABLES, type Column, type RawChannel } from '#core/tables.ts'
import { releaseWhole } from '../memory/release.ts'
import type { Cursor, PartKind } from './cursor.ts'
import type { Decimals } from './decimal-text.ts'

/** Prices and quantities are decimal text in text formats; a `number` is a plain one. */
export type ColumnKind = 'time' | 'id' | 'price' | 'qty' | 'number' | 'flag' | 'text' | 'levels'

/** Levels are price, quantity, price, quantity …: as pairs they would take ten times the memory. */
export type Cell = number | string | boolean | null | Float64Array
/** By column name. Times are microseconds. */
export type Row = Readonly<Record<string, Cell>>

export interface RangeColumn {
  readonly name: string
  readonly kind: ColumnKind
  readonly nullable: boolean
  readonly unit: string
  readonly description: string
  /** Set where the column is not stored but follows from others: a decimal text, or null. */
  readonly derived?: {
    readonly from: readonly string[]
    text(row: Row, decimals: Decimals): string | null
  }
}

/** A table whose finished hours lie in the archive, as a part of what is served. */
export interface ArchivedPart {
  readonly table_name: ArchivedTable
  /** Columns that are the part's; undefined: all. */
  readonly columns: readonly string[] | undefined
  /** The one that is null where the part has no row; undefined where there is one part alone. */
  readonly present: string | undefined
}

export interface RangeTable {
  /** Name of the route: /v1/<name>/{symbol}. */
  readonly name: string
  /** Name of a row in the docs. */
  readonly row_name: string
  readonly summary: string
  /** What is meant where no range is given: so much before its end. */
  readonly default_span_us: number
  /** Relation in schema marketdata; it has symbol_id. */
  readonly relation: string
  /** Where its finished hours lie in the archive. */
  readonly archived: readonly ArchivedPart[]
  /** In the order of the answer. */
  readonly columns: readonly RangeColumn[]
  /** The order of a symbol's rows: the time, then what tells rows of one moment apart. */
  readonly identity: readonly [string, ...string[]]
  /** The dataset that holds whole days of it, where there is one. */
  readonly dataset: string | null
}

/**
 * Columns that must be read for those that are asked for: stored ones, the identity and what tells
 * whether a part has a row included.
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
  return table.identity.map((name) => row[name]) as unknown as Cursor
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

/** Before, at or behind a cursor: negative, 0 or positive. */
export function compareToCursor(table: RangeTable, row: Row, cursor: Cursor): number {
  for (const [index, name] of table.identity.entries()) {
    const [own, other] = [row[name] as number | string, cursor[index]!]
    // Texts are compared by their bytes, as the database's collation "C" does.
    if (own !== other) return own < other ? -1 : 1
  }
  return 0
}

/** The columns of a raw table as callers get them: without symbol_id, which is ours. */
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

/** Gives back the memory of the rows' levels, which nobody may read any more. */
export function releaseLevels(rows: readonly Row[]): void {
  for (const row of rows) releaseWhole(Object.values(row))
}
