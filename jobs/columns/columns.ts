/**
 * Rows of a raw table as columns of typed arrays: the step between a COPY stream and a Parquet
 * file, in both directions. Times are microseconds since 1970. Ids are whole numbers that a double
 * holds exactly.
 */
import type { ArchivedColumn, TableShape } from '#core/archived-tables.ts'

/** For timestamptz, int8 and float8. A value under a null has no meaning. */
export interface NumberColumn {
  readonly kind: 'numbers'
  readonly values: Float64Array
  /** 1 if the row has a null; undefined if no row has one. */
  readonly nulls: Uint8Array | undefined
}

/** For bool: 1 is true. */
export interface FlagColumn {
  readonly kind: 'flags'
  readonly values: Uint8Array
}

/** For text with few distinct values. Words are in the order of their UTF-8 bytes. */
export interface TextColumn {
  readonly kind: 'texts'
  readonly words: readonly string[]
  /** Index of the row's word. */
  readonly codes: Uint8Array
}

/** For levels: row n has those from ends[n - 1] to ends[n]. */
export interface LevelColumn {
  readonly kind: 'levels'
  readonly ends: Uint32Array
  readonly price: Float64Array
  readonly qty: Float64Array
}

export type ColumnData = NumberColumn | FlagColumn | TextColumn | LevelColumn

/** Rows of one symbol. Arrays may be longer than `row_count`. */
export interface SymbolRows {
  readonly row_count: number
  /** In the order of `dataColumns`. */
  readonly columns: readonly ColumnData[]
}

/** The table's columns, except symbol_id, which is the same in all rows of a symbol. */
export function dataColumns(table: TableShape): readonly ArchivedColumn[] {
  return table.columns.filter((column) => column.name !== 'symbol_id')
}

/** Index of the row's first level. */
export function levelStart(column: LevelColumn, row: number): number {
  return row === 0 ? 0 : column.ends[row - 1]!
}

/** Compares by UTF-8 bytes, whatever the machine's locale. */
export function compareText(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
