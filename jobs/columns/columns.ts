/**
 * Rows of a raw table as columns of typed arrays: what lies between a COPY stream and a Parquet
 * file, in both directions. Times are microseconds since 1970, ids are whole numbers that a double
 * holds exactly.
 */
import type { ArchivedColumn, TableShape } from '#core/archived-tables.ts'

/** Of timestamptz, int8 and float8. What stands under a null is of no meaning. */
export interface NumberColumn {
  readonly kind: 'numbers'
  readonly values: Float64Array
  /** 1 where the row has a null; undefined where no row has. */
  readonly nulls: Uint8Array | undefined
}

/** Of bool: 1 is true. */
export interface FlagColumn {
  readonly kind: 'flags'
  readonly values: Uint8Array
}

/** Of text with few different values: the words in the order of their UTF-8 bytes. */
export interface TextColumn {
  readonly kind: 'texts'
  readonly words: readonly string[]
  /** Which of the words. */
  readonly codes: Uint8Array
}

/** Of levels: those of row n lie before ends[n] and from ends[n - 1] on. */
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

/** The table's columns but symbol_id, which is the same in all rows of a symbol. */
export function dataColumns(table: TableShape): readonly ArchivedColumn[] {
  return table.columns.filter((column) => column.name !== 'symbol_id')
}

/** Where the level column's row begins. */
export function levelStart(column: LevelColumn, row: number): number {
  return row === 0 ? 0 : column.ends[row - 1]!
}

/** Symbols and words in the order of their UTF-8 bytes, whatever the machine's locale. */
export function compareText(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
