/**
 * Postgres' binary COPY format for the raw tables, after the column order and types of
 * core/tables.ts. Exact: microseconds and ids are 64-bit integers made from safe integers.
 * Encoded rows can be cut anywhere between two rows, so a batch can be sent in parts.
 */
import type { Column, Table } from '#core/tables.ts'

/** Rows of one table, without header and trailer. */
export interface CopyRows {
  readonly table: Table
  readonly bytes: Buffer
  /** Byte offset of every row in `bytes`, and of the end: one more than there are rows. */
  readonly offsets: Float64Array
  readonly row_count: number
}

/** A row's values by column name, without symbol_id. Every market event is one. */
export type RowSource = object

export type CellValue = number | boolean | null

/** Signature, flags and header extension: what goes before the rows. */
export const COPY_HEADER: Buffer = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
/** What goes after them. */
export const COPY_TRAILER: Buffer = Buffer.from([0xff, 0xff])

/** 2000-01-01T00:00:00Z, Postgres' epoch. */
const POSTGRES_EPOCH_US = 946_684_800_000_000
const TWO_32 = 2 ** 32
const LENGTH_BYTES = 4
const ROW_HEAD_BYTES = 2

export function copySql(table: Table, target: string): string {
  const columns = table.columns.map((column) => column.name).join(', ')
  return `copy ${target} (${columns}) from stdin (format binary)`
}

/** Encodes the groups in their order: each one symbol's rows. */
export function encodeRows(
  table: Table,
  groups: readonly { readonly symbol_id: number; readonly rows: readonly RowSource[] }[],
): CopyRows {
  const row_count = groups.reduce((sum, group) => sum + group.rows.length, 0)
  const { columns } = table
  const types = columns.map(valueBytes)
  const row_bytes_max = types.reduce((sum, bytes) => sum + LENGTH_BYTES + bytes, ROW_HEAD_BYTES)
  const bytes = Buffer.allocUnsafeSlow(row_count * row_bytes_max)
  const view = new DataView(bytes.buffer)
  const offsets = new Float64Array(row_count + 1)
  let at = 0
  let index = 0
  for (const { symbol_id, rows } of groups) {
    for (const row of rows) {
      offsets[index++] = at
      view.setInt16(at, columns.length)
      at += ROW_HEAD_BYTES
      for (const column of columns) {
        const { name } = column
        const value =
          name === 'symbol_id' ? symbol_id : (row as Record<string, CellValue | undefined>)[name]
        at = putValue(view, at, column, value)
      }
    }
  }
  offsets[index] = at
  return { table, bytes: bytes.subarray(0, at), offsets, row_count }
}

/** Rows [from, to) as they go over the wire. */
export function sliceRows(rows: CopyRows, from: number, to: number): Buffer {
  return rows.bytes.subarray(rows.offsets[from], rows.offsets[to])
}

/** One row back from its bytes, for the dead-letter file. */
export function decodeRow(rows: CopyRows, index: number): Record<string, CellValue> {
  const { bytes } = rows
  let at = rows.offsets[index]! + ROW_HEAD_BYTES
  const row: Record<string, CellValue> = {}
  for (const { name, type } of rows.table.columns) {
    const length = bytes.readInt32BE(at)
    at += LENGTH_BYTES
    if (length === -1) {
      row[name] = null
      continue
    }
    if (type === 'float8') row[name] = bytes.readDoubleBE(at)
    else if (type === 'bool') row[name] = bytes[at] === 1
    else {
      const integer = bytes.readInt32BE(at) * TWO_32 + bytes.readUInt32BE(at + 4)
      row[name] = type === 'timestamptz' ? integer + POSTGRES_EPOCH_US : integer
    }
    at += length
  }
  return row
}

function putValue(
  view: DataView,
  at: number,
  column: Column,
  value: CellValue | undefined,
): number {
  if (value === null) {
    view.setInt32(at, -1)
    return at + LENGTH_BYTES
  }
  const { type } = column
  if (type === 'bool') {
    view.setInt32(at, 1)
    view.setUint8(at + LENGTH_BYTES, value === true ? 1 : 0)
    return at + LENGTH_BYTES + 1
  }
  view.setInt32(at, 8)
  if (type === 'float8') {
    view.setFloat64(at + LENGTH_BYTES, value as number)
  } else {
    const integer = type === 'timestamptz' ? (value as number) - POSTGRES_EPOCH_US : (value as number)
    const high = Math.floor(integer / TWO_32)
    view.setInt32(at + LENGTH_BYTES, high)
    view.setUint32(at + LENGTH_BYTES + 4, integer - high * TWO_32)
  }
  return at + LENGTH_BYTES + 8
}

function valueBytes(column: Column): number {
  if (column.type === 'text') {
    throw new TypeError(`Column ${column.name}: text has no fixed width; raw tables hold none.`)
  }
  return column.type === 'bool' ? 1 : 8
}
