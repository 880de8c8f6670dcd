/**
 * Postgres' binary COPY format for the raw tables, after the column order and types of
 * core/tables.ts. Exact: microseconds and ids are 64-bit integers made from safe integers.
 * Encoded rows can be cut anywhere between two rows, so a batch can be sent in parts.
 */
import type { BookTicker, Trade } from '#core/market.ts'
import { book_ticker, type Table, trades } from '#core/tables.ts'

/** What becomes a row of a raw table. */
export type StoredEvent = BookTicker | Trade

/** Rows of one table, without header and trailer. */
export interface CopyRows {
  readonly table: Table
  readonly bytes: Buffer
  /** Byte offset of every row in `bytes`, and of the end: one more than there are rows. */
  readonly offsets: Float64Array
  readonly row_count: number
}

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
/** A length and eight bytes. */
const NUMBER_BYTES = LENGTH_BYTES + 8
const TS_EXCHANGE_AT = ROW_HEAD_BYTES
const TS_INGEST_AT = TS_EXCHANGE_AT + NUMBER_BYTES
const SYMBOL_ID_AT = TS_INGEST_AT + NUMBER_BYTES
const ID_AT = SYMBOL_ID_AT + NUMBER_BYTES

export function copySql(table: Table, target: string): string {
  const columns = table.columns.map((column) => column.name).join(', ')
  return `copy ${target} (${columns}) from stdin (format binary)`
}

/** Bytes of the longest row of any raw table. */
export const ROW_BYTES_MAX = ROW_HEAD_BYTES + 9 * NUMBER_BYTES + LENGTH_BYTES + 1

/**
 * Writes an event's row at `at`, its symbol_id still 0; returns where it ends. Written out column
 * by column, in the order of core/tables.ts (a test decodes them after it): a loop over the
 * columns takes four times as long.
 */
export function encodeRow(view: DataView, at: number, event: StoredEvent): number {
  return event.kind === 'trade' ? putTrade(view, at, event) : putBookTicker(view, at, event)
}

export function setSymbolId(view: DataView, row_at: number, symbol_id: number): void {
  putInteger(view, row_at + SYMBOL_ID_AT, symbol_id)
}

/** Microseconds since Postgres' epoch. */
export function tsExchangeAt(view: DataView, row_at: number): number {
  return readInteger(view, row_at + TS_EXCHANGE_AT)
}

export function idAt(view: DataView, row_at: number): number {
  return readInteger(view, row_at + ID_AT)
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

function putBookTicker(view: DataView, at: number, event: BookTicker): number {
  view.setInt16(at, book_ticker.columns.length)
  let end = putKey(view, at, event, event.update_id)
  end = putFloat(view, end, event.best_bid)
  end = putFloat(view, end, event.best_ask)
  end = putFloat(view, end, event.bid_qty)
  return putFloat(view, end, event.ask_qty)
}

function putTrade(view: DataView, at: number, event: Trade): number {
  view.setInt16(at, trades.columns.length)
  let end = putKey(view, at, event, event.agg_trade_id)
  end = putFloat(view, end, event.price)
  end = putFloat(view, end, event.qty)
  end = event.non_rpi_qty === null ? putNull(view, end) : putFloat(view, end, event.non_rpi_qty)
  end = putIntegerOrNull(view, end, event.first_trade_id)
  end = putIntegerOrNull(view, end, event.last_trade_id)
  view.setInt32(end, 1)
  view.setUint8(end + LENGTH_BYTES, event.is_buyer_maker ? 1 : 0)
  return end + LENGTH_BYTES + 1
}

/** The columns that every raw table begins with; their places are fixed, since none is nullable. */
function putKey(view: DataView, at: number, event: StoredEvent, id: number): number {
  putInteger(view, at + TS_EXCHANGE_AT, event.ts_exchange - POSTGRES_EPOCH_US)
  putInteger(view, at + TS_INGEST_AT, event.ts_ingest - POSTGRES_EPOCH_US)
  putInteger(view, at + SYMBOL_ID_AT, 0)
  return putInteger(view, at + ID_AT, id)
}

function putInteger(view: DataView, at: number, value: number): number {
  const high = Math.floor(value / TWO_32)
  view.setInt32(at, 8)
  view.setInt32(at + LENGTH_BYTES, high)
  view.setUint32(at + LENGTH_BYTES + 4, value - high * TWO_32)
  return at + NUMBER_BYTES
}

function putIntegerOrNull(view: DataView, at: number, value: number | null): number {
  return value === null ? putNull(view, at) : putInteger(view, at, value)
}

function putFloat(view: DataView, at: number, value: number): number {
  view.setInt32(at, 8)
  view.setFloat64(at + LENGTH_BYTES, value)
  return at + NUMBER_BYTES
}

function putNull(view: DataView, at: number): number {
  view.setInt32(at, -1)
  return at + LENGTH_BYTES
}

function readInteger(view: DataView, at: number): number {
  return view.getInt32(at + LENGTH_BYTES) * TWO_32 + view.getUint32(at + LENGTH_BYTES + 4)
}
