/** Encodes columns as binary COPY rows, for rows that come from an archive file. */
import type { TableShape } from '#core/archived-tables.ts'
import { putFloat, putInteger, putMicros, putNull, putPairsHead } from '#core/node/pg-copy/cells.ts'
import {
  ARRAY_HEAD_BYTES,
  DIMENSION_BYTES,
  LENGTH_BYTES,
  NUMBER_BYTES,
  ROW_HEAD_BYTES,
} from '#core/node/pg-copy/format.ts'
import type { ColumnData, SymbolRows } from '../columns/columns.ts'
import { levelStart } from '../columns/columns.ts'

const FIRST_BYTES = 64 * 1024

export interface EncodedRows {
  readonly bytes: Buffer
  /** End of each row. */
  readonly ends: readonly number[]
}

/** Encodes rows [from, to). By default symbol_id is 0: then the reader knows the symbol's name. */
export function encodeRows(
  table: TableShape,
  rows: SymbolRows,
  from: number,
  to: number,
  symbol_id = 0,
): EncodedRows {
  const out = new Output()
  const ends: number[] = []
  for (let row = from; row < to; row++) {
    out.int16(table.columns.length)
    let at = 0
    for (const { name, type } of table.columns) {
      if (name === 'symbol_id') out.integer(symbol_id)
      else putValue(out, rows.columns[at++]!, type, row)
    }
    ends.push(out.length)
  }
  return { bytes: out.taken(), ends }
}

function putValue(out: Output, column: ColumnData, type: string, row: number): void {
  switch (column.kind) {
    case 'numbers': {
      if (column.nulls?.[row] === 1) return out.null()
      const value = column.values[row]!
      if (type === 'float8') return out.double(value)
      return type === 'timestamptz' ? out.micros(value) : out.integer(value)
    }
    case 'flags':
      return out.field(Uint8Array.of(column.values[row]!))
    case 'texts':
      return out.field(Buffer.from(column.words[column.codes[row]!]!))
    case 'levels': {
      const start = levelStart(column, row)
      const count = column.ends[row]! - start
      out.pairsHead(count)
      for (let level = start; level < start + count; level++) {
        out.double(column.price[level]!)
        out.double(column.qty[level]!)
      }
    }
  }
}

class Output {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #view = viewOf(this.#bytes)
  #at = 0

  get length(): number {
    return this.#at
  }

  taken(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  int16(value: number): void {
    this.#reserve(ROW_HEAD_BYTES)
    this.#at = this.#bytes.writeInt16BE(value, this.#at)
  }

  integer(value: number): void {
    this.#reserve(NUMBER_BYTES)
    this.#at = putInteger(this.#view, this.#at, value)
  }

  micros(value: number): void {
    this.#reserve(NUMBER_BYTES)
    this.#at = putMicros(this.#view, this.#at, value)
  }

  double(value: number): void {
    this.#reserve(NUMBER_BYTES)
    this.#at = putFloat(this.#view, this.#at, value)
  }

  null(): void {
    this.#reserve(LENGTH_BYTES)
    this.#at = putNull(this.#view, this.#at)
  }

  field(value: Uint8Array): void {
    this.#reserve(LENGTH_BYTES + value.length)
    this.#at = this.#bytes.writeInt32BE(value.length, this.#at)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
  }

  pairsHead(pair_count: number): void {
    this.#reserve(LENGTH_BYTES + ARRAY_HEAD_BYTES + 2 * DIMENSION_BYTES)
    this.#at = putPairsHead(this.#view, this.#at, pair_count)
  }

  #reserve(byte_count: number): void {
    if (this.#at + byte_count <= this.#bytes.length) return
    const longer = Buffer.allocUnsafeSlow(this.#bytes.length * 2 + byte_count)
    this.#bytes.copy(longer, 0, 0, this.#at)
    this.#bytes = longer
    this.#view = viewOf(longer)
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
