/**
 * Decodes binary COPY rows of a raw table: the end of each row, its hash, and its values as
 * columns. Made for the tables of core/tables.ts; any other shape is an error.
 */
import type { TableShape } from '#core/archived-tables.ts'
import type { ColumnType } from '#core/tables.ts'
import { readInt8, readMicros } from '#core/node/pg-copy/cells.ts'
import type { ChecksumSums } from '../columns/checksum.ts'
import { hashText } from '../columns/checksum.ts'
import { type ColumnData, compareText, dataColumns, type SymbolRows } from '../columns/columns.ts'

const HEAD_BYTES = 2
const LENGTH_BYTES = 4
/** The time comes first in every table. */
const TIME_AT = HEAD_BYTES + LENGTH_BYTES
const TRAILER = -1
/** Dimensions, null flag and element type; then size and lower bound of each of two dimensions. */
const ARRAY_HEAD_BYTES = 12
const DIMENSION_BYTES = 8
const ELEMENT_BYTES = LENGTH_BYTES + 8
/** Text columns such as kind and side have few distinct values. */
const WORDS_MAX = 255

/** End of the row at `at`; undefined if the row is incomplete or if the trailer is there. */
export function rowEnd(view: DataView, at: number, column_count: number): number | undefined {
  const end = view.byteLength
  if (at + HEAD_BYTES > end) return undefined
  const found = view.getInt16(at)
  if (found === TRAILER) return undefined
  if (found !== column_count) throw wrongShape(`a row has ${found} columns, not ${column_count}`)
  let next = at + HEAD_BYTES
  for (let column = 0; column < column_count; column++) {
    if (next + LENGTH_BYTES > end) return undefined
    const length = view.getInt32(next)
    next += length < 0 ? LENGTH_BYTES : LENGTH_BYTES + length
  }
  return next <= end ? next : undefined
}

export function tsOfRow(view: DataView, at: number): number {
  return readMicros(view, at + TIME_AT)
}

/** Reads symbol_id of the row at `at`. All columns before it have 8 bytes and are not null. */
export function symbolIdReader(table: TableShape): (view: DataView, at: number) => number {
  const before = table.columns.findIndex(({ name }) => name === 'symbol_id')
  const symbol_id_at = HEAD_BYTES + before * (LENGTH_BYTES + 8) + LENGTH_BYTES
  return (view, at) => readInt8(view, at + symbol_id_at)
}

/** Adds the row at `at` to the sums. */
export type RowHasher = (
  sums: ChecksumSums,
  symbol_hash: number,
  view: DataView,
  at: number,
) => void

export function rowHasher(table: TableShape): RowHasher {
  const words = new Map<string, number>()
  const hashWord = (view: DataView, at: number, length: number): number => {
    const word = readText(view, at, length)
    let hash = words.get(word)
    if (hash === undefined) words.set(word, (hash = hashText(word)))
    return hash
  }
  const columns = table.columns.map(({ name, type }) => (name === 'symbol_id' ? undefined : type))
  return (sums, symbol_hash, view, at) => {
    sums.beginRow(symbol_hash)
    let next = at + HEAD_BYTES
    for (const type of columns) {
      const length = view.getInt32(next)
      const value_at = next + LENGTH_BYTES
      next = value_at + (length < 0 ? 0 : length)
      if (type === undefined) continue
      if (length < 0) sums.null()
      else hashValue(sums, type, view, value_at, length, hashWord)
      sums.endColumn()
    }
  }
}

function hashValue(
  sums: ChecksumSums,
  type: ColumnType,
  view: DataView,
  at: number,
  length: number,
  hashWord: (view: DataView, at: number, length: number) => number,
): void {
  switch (type) {
    case 'timestamptz':
      return sums.number(readMicros(view, at))
    case 'int8':
      return sums.number(readInt8(view, at))
    case 'float8':
      return sums.number(view.getFloat64(at))
    case 'bool':
      return sums.word(view.getUint8(at))
    case 'text':
      return sums.word(hashWord(view, at, length))
    case 'levels': {
      const count = levelCount(view, at)
      sums.word(count)
      for (let i = 0, value = firstElement(at); i < 2 * count; i++, value += ELEMENT_BYTES) {
        sums.number(view.getFloat64(value))
      }
    }
  }
}

/** Decodes consecutive rows of one symbol. */
export function decodeRows(table: TableShape, view: DataView, row_count: number): SymbolRows {
  const builders = table.columns.map(({ name, type }) =>
    name === 'symbol_id' ? undefined : builderOf(type, row_count),
  )
  let at = 0
  for (let row = 0; row < row_count; row++) {
    at += HEAD_BYTES
    for (const builder of builders) {
      const length = view.getInt32(at)
      at += LENGTH_BYTES
      builder?.put(row, view, at, length)
      if (length > 0) at += length
    }
  }
  if (at !== view.byteLength) {
    throw wrongShape(`${row_count} rows end at byte ${at} of ${view.byteLength}`)
  }
  const columns = builders.flatMap((builder) => (builder === undefined ? [] : [builder.take()]))
  if (columns.length !== dataColumns(table).length) throw wrongShape('no symbol_id')
  return { row_count, columns }
}

interface ColumnBuilder {
  /** `length` is negative for a null. */
  put(row: number, view: DataView, at: number, length: number): void
  take(): ColumnData
}

function builderOf(type: ColumnType, row_count: number): ColumnBuilder {
  switch (type) {
    case 'timestamptz':
      return numberBuilder(row_count, readMicros)
    case 'int8':
      return numberBuilder(row_count, readInt8)
    case 'float8':
      return numberBuilder(row_count, (view, at) => view.getFloat64(at))
    case 'bool':
      return flagBuilder(row_count)
    case 'text':
      return textBuilder(row_count)
    case 'levels':
      return levelBuilder(row_count)
  }
}

function numberBuilder(
  row_count: number,
  read: (view: DataView, at: number) => number,
): ColumnBuilder {
  const values = new Float64Array(row_count)
  let nulls: Uint8Array | undefined
  return {
    put(row, view, at, length) {
      if (length < 0) {
        nulls ??= new Uint8Array(row_count)
        nulls[row] = 1
      } else values[row] = read(view, at)
    },
    take: () => ({ kind: 'numbers', values, nulls }),
  }
}

function flagBuilder(row_count: number): ColumnBuilder {
  const values = new Uint8Array(row_count)
  return {
    put(row, view, at, length) {
      if (length < 0) throw wrongShape('a flag is null')
      values[row] = view.getUint8(at)
    },
    take: () => ({ kind: 'flags', values }),
  }
}

function textBuilder(row_count: number): ColumnBuilder {
  const found = new Map<string, number>()
  const codes = new Uint8Array(row_count)
  return {
    put(row, view, at, length) {
      if (length < 0) throw wrongShape('a text is null')
      const word = readText(view, at, length)
      let code = found.get(word)
      if (code === undefined) {
        if (found.size === WORDS_MAX) throw wrongShape(`more than ${WORDS_MAX} different texts`)
        found.set(word, (code = found.size))
      }
      codes[row] = code
    },
    // Sorted, so that the same rows give the same bytes in whatever order they arrived.
    take() {
      const words = [...found.keys()].toSorted(compareText)
      const renumbered = new Map(words.map((word, code) => [found.get(word)!, code]))
      return { kind: 'texts', words, codes: codes.map((code) => renumbered.get(code)!) }
    },
  }
}

function levelBuilder(row_count: number): ColumnBuilder {
  const ends = new Uint32Array(row_count)
  let price = new Float64Array(row_count * 8)
  let qty = new Float64Array(row_count * 8)
  let end = 0
  return {
    put(row, view, at, length) {
      if (length < 0) throw wrongShape('levels are null')
      const count = levelCount(view, at)
      while (end + count > price.length) [price, qty] = [doubled(price), doubled(qty)]
      for (let i = 0, value = firstElement(at); i < count; i++, value += 2 * ELEMENT_BYTES) {
        price[end] = view.getFloat64(value)
        qty[end++] = view.getFloat64(value + ELEMENT_BYTES)
      }
      ends[row] = end
    },
    take: () => ({ kind: 'levels', ends, price, qty }),
  }
}

function doubled(values: Float64Array): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(Math.max(16, values.length * 2))
  longer.set(values)
  return longer
}

/** float8[][] with two columns; an array without dimensions has no levels. */
function levelCount(view: DataView, at: number): number {
  const dimension_count = view.getInt32(at)
  if (dimension_count === 0) return 0
  const first = at + ARRAY_HEAD_BYTES
  if (dimension_count !== 2 || view.getInt32(first + DIMENSION_BYTES) !== 2) {
    throw wrongShape('levels are not [price, qty] pairs')
  }
  return view.getInt32(first)
}

/** Offset of the first element's value, after its length. */
function firstElement(at: number): number {
  return at + ARRAY_HEAD_BYTES + 2 * DIMENSION_BYTES + LENGTH_BYTES
}

function readText(view: DataView, at: number, length: number): string {
  return Buffer.from(view.buffer, view.byteOffset + at, length).toString('utf8')
}

function wrongShape(found: string): Error {
  return new Error(`Binary COPY does not match the archive's select list: ${found}.`)
}
