/**
 * Postgres' binary COPY format for the raw tables, with the columns of core/tables.ts. Exact:
 * microseconds and ids are 64-bit integers made from safe integers. Encoded rows can be split
 * between any two rows, so a batch can be sent in parts.
 */
import type {
  BookTicker,
  DepthEvent,
  IndexPrice,
  Level,
  Liquidation,
  MarketEvent,
  MarkPrice,
  MarkPriceChange,
  Trade,
  VoidTrade,
} from '#core/market.ts'
import {
  putFloat,
  putInteger,
  putMicros,
  putNull,
  putPairsHead,
  readInt8,
  readMicros,
} from '#core/node/pg-copy/cells.ts'
import {
  ARRAY_HEAD_BYTES,
  DIMENSION_BYTES,
  LENGTH_BYTES,
  NUMBER_BYTES,
  ROW_HEAD_BYTES,
} from '#core/node/pg-copy/format.ts'
import { RAW_TABLES, type Table } from '#core/tables.ts'
import type { Micros } from '#core/time.ts'

/** An event that becomes a row of a raw table. */
export type StoredEvent = Exclude<MarketEvent, VoidTrade | IndexPrice | MarkPriceChange>

/** Rows of one table, without header and trailer. */
export interface CopyRows {
  readonly table: Table
  readonly bytes: Buffer
  /** Byte offset of every row in `bytes`, then the end: row_count + 1 values. */
  readonly offsets: Float64Array
  readonly row_count: number
}

export type CellValue = number | boolean | string | readonly Level[] | null

const TS_EXCHANGE_AT = ROW_HEAD_BYTES
const TS_INGEST_AT = TS_EXCHANGE_AT + NUMBER_BYTES
const SYMBOL_ID_AT = TS_INGEST_AT + NUMBER_BYTES
/** Where the key columns after the stamps begin: an id, in most tables. */
const KEY_AT = SYMBOL_ID_AT + NUMBER_BYTES
const LEVEL_BYTES = 2 * NUMBER_BYTES

export function copySql(table: Table, target: string): string {
  const columns = table.columns.map((column) => column.name).join(', ')
  return `copy ${target} (${columns}) from stdin (format binary)`
}

/** Size of the longest row without levels: nine numbers and a flag, or six numbers and a word. */
export const FLAT_ROW_BYTES_MAX = ROW_HEAD_BYTES + 10 * NUMBER_BYTES

/** Upper bound of the size of the event's row. */
export function rowBytesMax(event: StoredEvent): number {
  if (event.kind !== 'depth') return FLAT_ROW_BYTES_MAX
  const level_count = event.bids.length + event.asks.length
  return (
    FLAT_ROW_BYTES_MAX +
    2 * (LENGTH_BYTES + ARRAY_HEAD_BYTES + 2 * DIMENSION_BYTES) +
    level_count * LEVEL_BYTES
  )
}

/**
 * Writes an event's row at `at` with symbol_id 0 and returns where the row ends. Written out column
 * by column, in the order of core/tables.ts (a test decodes them in that order), because a loop
 * over the columns takes four times as long.
 */
export function encodeRow(view: DataView, at: number, event: StoredEvent): number {
  switch (event.kind) {
    case 'book_ticker':
      return putBookTicker(view, at, event)
    case 'trade':
      return putTrade(view, at, event)
    case 'depth':
      return putDepth(view, at, event)
    case 'mark_price':
      return putMarkPrice(view, at, event)
    case 'liquidation':
      return putLiquidation(view, at, event)
  }
}

export function setSymbolId(view: DataView, row_at: number, symbol_id: number): void {
  putInteger(view, row_at + SYMBOL_ID_AT, symbol_id)
}

/** Of the row that begins at `row_at`. */
export function symbolIdAt(view: DataView, row_at: number): number {
  return readInt8(view, row_at + SYMBOL_ID_AT + LENGTH_BYTES)
}

/** Of the row that begins at `row_at`. */
export function tsExchangeAt(view: DataView, row_at: number): Micros {
  return readMicros(view, row_at + TS_EXCHANGE_AT + LENGTH_BYTES)
}

/**
 * Orders two rows of one symbol by the table's key: by time, then by the bytes of the other key
 * columns, which sort ids and prices correctly. `key_count` is the number of those columns.
 */
export function compareKeys(view: DataView, a: number, b: number, key_count: number): number {
  const time_at = TS_EXCHANGE_AT + LENGTH_BYTES
  const by_time = readInt8(view, a + time_at) - readInt8(view, b + time_at)
  if (by_time !== 0) return by_time
  let a_at = a + KEY_AT
  let b_at = b + KEY_AT
  for (let column = 0; column < key_count; column++) {
    const length = view.getInt32(a_at)
    const by_length = length - view.getInt32(b_at)
    if (by_length !== 0) return by_length
    for (let byte = LENGTH_BYTES; byte < LENGTH_BYTES + length; byte++) {
      const by_byte = view.getUint8(a_at + byte) - view.getUint8(b_at + byte)
      if (by_byte !== 0) return by_byte
    }
    a_at += LENGTH_BYTES + length
    b_at += LENGTH_BYTES + length
  }
  return 0
}

/** Rows [from, to) as they go over the wire. */
export function sliceRows(rows: CopyRows, from: number, to: number): Buffer {
  return rows.bytes.subarray(rows.offsets[from], rows.offsets[to])
}

/**
 * Compares what follows the stamps and the symbol. Rows that differ only in ts_ingest are equal.
 */
export function hasSameValues(
  bytes: Buffer,
  a: number,
  a_end: number,
  b: number,
  b_end: number,
): boolean {
  return bytes.compare(bytes, a + KEY_AT, a_end, b + KEY_AT, b_end) === 0
}

/** Decodes one row, for the dead-letter file. */
export function decodeRow(rows: CopyRows, index: number): Record<string, CellValue> {
  return decodeRowAt(rows.table, rows.bytes, rows.offsets[index]!)
}

/** Decodes the row that begins at `row_at`. */
export function decodeRowAt(
  table: Table,
  bytes: Buffer,
  row_at: number,
): Record<string, CellValue> {
  let at = row_at + ROW_HEAD_BYTES
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const row: Record<string, CellValue> = {}
  for (const { name, type } of table.columns) {
    const length = bytes.readInt32BE(at)
    at += LENGTH_BYTES
    if (length === -1) {
      row[name] = null
      continue
    }
    if (type === 'float8') row[name] = bytes.readDoubleBE(at)
    else if (type === 'bool') row[name] = bytes[at] === 1
    else if (type === 'text') row[name] = bytes.toString('utf8', at, at + length)
    else if (type === 'levels') row[name] = readLevels(bytes, at, length)
    else {
      row[name] = type === 'timestamptz' ? readMicros(view, at) : readInt8(view, at)
    }
    at += length
  }
  return row
}

function putBookTicker(view: DataView, at: number, event: BookTicker): number {
  let end = putStamps(view, at, RAW_TABLES.book_ticker, event)
  end = putInteger(view, end, event.update_id)
  end = putFloatOrNull(view, end, event.best_bid)
  end = putFloatOrNull(view, end, event.best_ask)
  end = putFloatOrNull(view, end, event.bid_qty)
  return putFloatOrNull(view, end, event.ask_qty)
}

function putTrade(view: DataView, at: number, event: Trade): number {
  let end = putStamps(view, at, RAW_TABLES.trades, event)
  end = putInteger(view, end, event.agg_trade_id)
  end = putFloat(view, end, event.price)
  end = putFloat(view, end, event.qty)
  end = putFloatOrNull(view, end, event.non_rpi_qty)
  end = putIntegerOrNull(view, end, event.first_trade_id)
  end = putIntegerOrNull(view, end, event.last_trade_id)
  view.setInt32(end, 1)
  view.setUint8(end + LENGTH_BYTES, event.is_buyer_maker ? 1 : 0)
  return end + LENGTH_BYTES + 1
}

function putDepth(view: DataView, at: number, event: DepthEvent): number {
  let end = putStamps(view, at, RAW_TABLES.depth_events, event)
  end = putInteger(view, end, event.final_update_id)
  end = putWord(view, end, event.depth_kind)
  end = putIntegerOrNull(view, end, event.first_update_id)
  end = putIntegerOrNull(view, end, event.prev_final_update_id)
  end = putLevels(view, end, event.bids)
  return putLevels(view, end, event.asks)
}

function putMarkPrice(view: DataView, at: number, event: MarkPrice): number {
  const { next_funding_at } = event
  let end = putStamps(view, at, RAW_TABLES.mark_price, event)
  end = putFloat(view, end, event.mark_price)
  end = putFloatOrNull(view, end, event.index_price)
  end = putFloatOrNull(view, end, event.settle_price)
  end = putFloatOrNull(view, end, event.funding_rate)
  return next_funding_at === null ? putNull(view, end) : putMicros(view, end, next_funding_at)
}

function putLiquidation(view: DataView, at: number, event: Liquidation): number {
  let end = putStamps(view, at, RAW_TABLES.liquidations, event)
  end = putWord(view, end, event.side)
  end = putFloat(view, end, event.price)
  end = putFloat(view, end, event.qty)
  end = putFloat(view, end, event.average_price)
  return putFloat(view, end, event.filled_qty)
}

/**
 * The columns that every raw table begins with. Their offsets are fixed, since none is nullable.
 */
function putStamps(view: DataView, at: number, table: Table, event: StoredEvent): number {
  view.setInt16(at, table.columns.length)
  putMicros(view, at + TS_EXCHANGE_AT, event.ts_exchange)
  putMicros(view, at + TS_INGEST_AT, event.ts_ingest)
  return putInteger(view, at + SYMBOL_ID_AT, 0)
}

/** float8[][] of [price, qty]; an empty side is an array without dimensions. */
function putLevels(view: DataView, at: number, levels: readonly Level[]): number {
  let end = putPairsHead(view, at, levels.length)
  for (const [price, qty] of levels) {
    end = putFloat(view, end, price)
    end = putFloat(view, end, qty)
  }
  return end
}

/** Text of ASCII letters: the names of kinds and sides. */
function putWord(view: DataView, at: number, word: string): number {
  view.setInt32(at, word.length)
  for (let index = 0; index < word.length; index++) {
    view.setUint8(at + LENGTH_BYTES + index, word.charCodeAt(index))
  }
  return at + LENGTH_BYTES + word.length
}

function putIntegerOrNull(view: DataView, at: number, value: number | null): number {
  return value === null ? putNull(view, at) : putInteger(view, at, value)
}

function putFloatOrNull(view: DataView, at: number, value: number | null): number {
  return value === null ? putNull(view, at) : putFloat(view, at, value)
}

function readLevels(bytes: Buffer, at: number, length: number): readonly Level[] {
  const levels: Level[] = []
  const begin = at + ARRAY_HEAD_BYTES + 2 * DIMENSION_BYTES
  for (let level = begin; level < at + length; level += LEVEL_BYTES) {
    levels.push([
      bytes.readDoubleBE(level + LENGTH_BYTES),
      bytes.readDoubleBE(level + NUMBER_BYTES + LENGTH_BYTES),
    ])
  }
  return levels
}
