/** Rows of columns as binary COPY has them: the way back, for rows that come from a file. */
import type { TableShape } from '#core/archived-tables.ts'
import type { ColumnData, SymbolRows } from './columns.ts'
import { levelStart } from './columns.ts'

/** 2000-01-01T00:00:00Z, Postgres' epoch. */
const POSTGRES_EPOCH_US = 946_684_800_000_000
const HEAD_BYTES = 2
const NUMBER_BYTES = 12
const ARRAY_HEAD_BYTES = 4 + 12
const DIMENSION_BYTES = 8
const FLOAT8_OID = 701
const FIRST_BYTES = 64 * 1024

export interface EncodedRows {
  readonly bytes: Buffer
  /** Where each row ends. */
  readonly ends: readonly number[]
}

/** Rows [from, to). The symbol's id is written as 0: whoever has columns knows the symbol's name. */
export function encodeRows(table: TableShape, rows: SymbolRows, from: number, to: number): EncodedRows {
  const out = new Output()
  const ends: number[] = []
  for (let row = from; row < to; row++) {
    out.int16(table.columns.length)
    let at = 0
    for (const { name, type } of table.columns) {
      if (name === 'symbol_id') out.integer(0)
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
      return out.integer(type === 'timestamptz' ? value - POSTGRES_EPOCH_US : value)
    }
    case 'flags':
      return out.field(Uint8Array.of(column.values[row]!))
    case 'texts':
      return out.field(Buffer.from(column.words[column.codes[row]!]!))
    case 'levels': {
      const start = levelStart(column, row)
      const count = column.ends[row]! - start
      out.arrayHead(count)
      for (let level = start; level < start + count; level++) {
        out.double(column.price[level]!)
        out.double(column.qty[level]!)
      }
    }
  }
}

class Output {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #at = 0

  get length(): number {
    return this.#at
  }

  taken(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  int16(value: number): void {
    this.#reserve(HEAD_BYTES)
    this.#at = this.#bytes.writeInt16BE(value, this.#at)
  }

  integer(value: number): void {
    this.#reserve(NUMBER_BYTES)
    this.#at = this.#bytes.writeInt32BE(8, this.#at)
    this.#at = this.#bytes.writeBigInt64BE(BigInt(value), this.#at)
  }

  double(value: number): void {
    this.#reserve(NUMBER_BYTES)
    this.#at = this.#bytes.writeInt32BE(8, this.#at)
    this.#at = this.#bytes.writeDoubleBE(value, this.#at)
  }

  null(): void {
    this.#reserve(4)
    this.#at = this.#bytes.writeInt32BE(-1, this.#at)
  }

  field(value: Uint8Array): void {
    this.#reserve(4 + value.length)
    this.#at = this.#bytes.writeInt32BE(value.length, this.#at)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
  }

  /** What stands before the elements of float8[][]; no level is an array without dimensions. */
  arrayHead(level_count: number): void {
    const sizes = level_count === 0 ? [] : [level_count, 2]
    const dimension_bytes = sizes.length * DIMENSION_BYTES
    const length = ARRAY_HEAD_BYTES - 4 + dimension_bytes + level_count * 2 * NUMBER_BYTES
    this.#reserve(ARRAY_HEAD_BYTES + dimension_bytes)
    for (const value of [length, sizes.length, 0, FLOAT8_OID]) {
      this.#at = this.#bytes.writeInt32BE(value, this.#at)
    }
    for (const size of sizes) {
      this.#at = this.#bytes.writeInt32BE(size, this.#at)
      this.#at = this.#bytes.writeInt32BE(1, this.#at)
    }
  }

  #reserve(byte_count: number): void {
    if (this.#at + byte_count <= this.#bytes.length) return
    const longer = Buffer.allocUnsafeSlow(this.#bytes.length * 2 + byte_count)
    this.#bytes.copy(longer, 0, 0, this.#at)
    this.#bytes = longer
  }
}
