/**
 * How many rows a page may have, in bytes of its text: a worker has 128 MiB for all callers at
 * once, so a page of wide rows ends before `limit`, and `next` goes on behind it.
 */
import type { ColumnKind, RangeColumn, Row } from './table.ts'

/** Of the JSON text, which is the longest form. */
export const PAGE_BYTES_MAX = 2 << 20

/** What a value usually takes at most; of levels, what those of a short change do. */
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
/** Quotes around a name, the colon and the comma. */
const NAME_EXTRA_BYTES = 4
/** Price and quantity as text, with quotes, comma and half of the brackets. */
const LEVEL_NUMBER_BYTES = 13
/** Prices and quantities of all levels in a page. */
export const LEVEL_NUMBERS_MAX = Math.floor(PAGE_BYTES_MAX / LEVEL_NUMBER_BYTES)

/** The limit of a page with these columns: at most `limit`, at least one row. */
export function rowsThatFit(columns: readonly RangeColumn[], limit: number): number {
  const row_bytes = columns.reduce(
    (sum, { name, kind }) => sum + name.length + NAME_EXTRA_BYTES + CELL_BYTES[kind],
    2,
  )
  return Math.min(limit, Math.max(1, Math.floor(PAGE_BYTES_MAX / row_bytes)))
}

/** Bytes that a worker holds while it makes such a page: rows, text, and the answer. */
export function heldBytes(columns: readonly Pick<RangeColumn, 'name' | 'kind'>[], limit: number): number {
  const row_bytes = columns.reduce((sum, { name, kind }) => {
    const cell_bytes = kind === 'levels' ? LEVEL_ROW_BYTES : CELL_BYTES[kind]
    return sum + name.length + NAME_EXTRA_BYTES + cell_bytes
  }, 2)
  return HELD_PER_BYTE * Math.min(PAGE_BYTES_MAX, limit * row_bytes)
}

/** The same of a list whose rows have so many bytes of text each. */
export function listBytes(row_count: number, row_bytes: number): number {
  return HELD_PER_BYTE * Math.min(PAGE_BYTES_MAX, row_count * row_bytes)
}

/** Of a list of all symbols, some thousands, or of a run's log: about a megabyte of text. */
export const LIST_BYTES = 4 << 20
/** While a book is rebuilt: a page of its changes, and its levels. */
export const BOOK_BYTES = 8 << 20
/** As text, of a snapshot's row with 5,000 levels. */
const LEVEL_ROW_BYTES = 128 << 10
/** What came from the database, the rows, the pieces of text and the answer made of them. */
const HELD_PER_BYTE = 4

/** The same by what the rows hold: one more once their levels before it fill no page. */
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
