/**
 * Limits pages by the bytes of their text. An isolate has 128 MiB for all its requests, so a page
 * of wide rows has fewer rows than `limit`, and `next` continues after it.
 */
import type { ColumnKind, RangeColumn, Row } from './table.ts'

/** Bytes of the JSON text; the other formats are shorter. */
export const PAGE_BYTES_MAX = 2 << 20

/** Usual maximum size of a value [bytes]. For `levels`, the size of a short diff. */
const CELL_BYTES: { readonly [kind in ColumnKind]: number } = {
  time: 29,
  id: 16,
  price: 16,
  qty: 16,
  number: 20,
  flag: 5,
  text: 24,
  levels: 240,
}
/** The quotes around a name, the colon and the comma. */
const NAME_EXTRA_BYTES = 4
/** A price or quantity as text, with quotes, comma and its share of the brackets. */
const LEVEL_NUMBER_BYTES = 13
/** Maximum count of prices and quantities in all levels of a page. */
export const LEVEL_NUMBERS_MAX = Math.floor(PAGE_BYTES_MAX / LEVEL_NUMBER_BYTES)

/** The row limit of a page with these columns: at most `limit`, at least 1. */
export function rowsThatFit(columns: readonly RangeColumn[], limit: number): number {
  const row_bytes = columns.reduce(
    (sum, { name, kind }) => sum + name.length + NAME_EXTRA_BYTES + CELL_BYTES[kind],
    2,
  )
  return Math.min(limit, Math.max(1, Math.floor(PAGE_BYTES_MAX / row_bytes)))
}

/** Bytes held while a page with these columns is built: rows, text and answer. */
export function heldBytes(
  columns: readonly Pick<RangeColumn, 'name' | 'kind'>[],
  limit: number,
): number {
  const row_bytes = columns.reduce((sum, { name, kind }) => {
    const cell_bytes = kind === 'levels' ? LEVEL_ROW_BYTES : CELL_BYTES[kind]
    return sum + name.length + NAME_EXTRA_BYTES + cell_bytes
  }, 2)
  return HELD_PER_BYTE * Math.min(PAGE_BYTES_MAX, limit * row_bytes)
}

/** The same for a list with `row_bytes` bytes of text per row. */
export function listBytes(row_count: number, row_bytes: number): number {
  return HELD_PER_BYTE * Math.min(PAGE_BYTES_MAX, row_count * row_bytes)
}

/** Held for a list of all symbols (some thousands) or for a run's log: about 1 MB of text. */
export const LIST_BYTES = 4 << 20
/** Held while a book is rebuilt: a page of its updates, and its levels. */
export const BOOK_BYTES = 8 << 20
/** Text of a snapshot row with 5,000 levels [bytes]. */
const LEVEL_ROW_BYTES = 128 << 10
/** Copies in memory: the database's answer, the rows, the pieces of text, and the answer. */
const HELD_PER_BYTE = 4

/** Number of rows that fit a page by their levels: up to and including the row that fills it. */
export function countThatFits(rows: readonly Row[], columns: readonly RangeColumn[]): number {
  const level_columns = columns.filter(({ kind }) => kind === 'levels')
  let number_count = 0
  for (const [index, row] of rows.entries()) {
    if (number_count >= LEVEL_NUMBERS_MAX) return index
    for (const { name } of level_columns) {
      const levels = row[name]
      if (levels instanceof Float64Array) number_count += levels.length
    }
  }
  return rows.length
}
