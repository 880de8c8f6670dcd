/**
 * Checksums of rows that do not depend on their order: per column the sum of its values' hashes.
 * The hash of a value includes the symbol and the values before it in the row, so swapped values
 * change the checksum.
 */
import type { ArchivedColumn } from '#core/archived-tables.ts'
import { type ColumnData, levelStart, type SymbolRows } from './columns.ts'

/** Column name to 16 hexadecimal digits; `symbol` comes first. */
export type Checksums = Readonly<Record<string, string>>

const NULL_WORD = 0x6e756c6c
const double = new Float64Array(1)
const halves = new Int32Array(double.buffer)

/** Sums over rows. The values of a row must be added in the order of the table's data columns. */
export class ChecksumSums {
  row_count = 0
  readonly #names: readonly string[]
  /** Two 32-bit halves per column, starting with the symbol's. */
  readonly #sums: Int32Array
  #a = 0
  #b = 0
  #at = 0

  constructor(columns: readonly ArchivedColumn[]) {
    this.#names = ['symbol', ...columns.map(({ name }) => name)]
    this.#sums = new Int32Array(this.#names.length * 2)
  }

  /** `symbol_hash` is hashText of the symbol. */
  beginRow(symbol_hash: number): void {
    this.row_count++
    this.#at = 0
    this.#a = symbol_hash
    this.#b = ~symbol_hash
    this.endColumn()
  }

  number(value: number): void {
    double[0] = value
    this.#mix(halves[0]!, halves[1]!)
  }

  /** Adds a flag, a count or the hash of a text. */
  word(value: number): void {
    this.#mix(value, 0)
  }

  null(): void {
    this.#mix(NULL_WORD, NULL_WORD)
  }

  /** Call after all values of a column have been added. */
  endColumn(): void {
    this.#sums[this.#at] = (this.#sums[this.#at]! + this.#a) | 0
    this.#sums[this.#at + 1] = (this.#sums[this.#at + 1]! + this.#b) | 0
    this.#at += 2
  }

  /** Adds or subtracts the other's rows. */
  add(other: ChecksumSums, sign: 1 | -1): void {
    this.row_count += sign * other.row_count
    for (let i = 0; i < this.#sums.length; i++) {
      this.#sums[i] = (this.#sums[i]! + sign * other.#sums[i]!) | 0
    }
  }

  toChecksums(): Checksums {
    const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0')
    return Object.fromEntries(
      this.#names.map((name, i) => [name, hex(this.#sums[2 * i + 1]!) + hex(this.#sums[2 * i]!)]),
    )
  }

  /** Injective: different values give different results, because every step can be reversed. */
  #mix(low: number, high: number): void {
    let a = Math.imul(this.#a ^ low, 0x9e3779b1)
    a ^= a >>> 15
    let b = Math.imul(this.#b ^ high ^ a, 0x85ebca77)
    b ^= b >>> 13
    a = Math.imul((a + b) | 0, 0xc2b2ae3d)
    this.#a = a ^ (a >>> 16)
    this.#b = b
  }
}

export function hashText(text: string): number {
  let hash = text.length
  for (const byte of Buffer.from(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193)
    hash ^= hash >>> 15
  }
  return hash | 0
}

/** Adds rows [from, to) of one symbol. */
export function addRows(
  sums: ChecksumSums,
  symbol: string,
  rows: SymbolRows,
  from = 0,
  to = rows.row_count,
): void {
  const symbol_hash = hashText(symbol)
  const adders = rows.columns.map((column) => adderOf(sums, column))
  for (let row = from; row < to; row++) {
    sums.beginRow(symbol_hash)
    for (const add of adders) {
      add(row)
      sums.endColumn()
    }
  }
}

function adderOf(sums: ChecksumSums, column: ColumnData): (row: number) => void {
  switch (column.kind) {
    case 'numbers': {
      const { values, nulls } = column
      if (nulls === undefined) return (row) => sums.number(values[row]!)
      return (row) => (nulls[row] === 1 ? sums.null() : sums.number(values[row]!))
    }
    case 'flags':
      return (row) => sums.word(column.values[row]!)
    case 'texts': {
      const hashes = column.words.map(hashText)
      return (row) => sums.word(hashes[column.codes[row]!]!)
    }
    case 'levels':
      return (row) => {
        const start = levelStart(column, row)
        const end = column.ends[row]!
        sums.word(end - start)
        for (let level = start; level < end; level++) {
          sums.number(column.price[level]!)
          sums.number(column.qty[level]!)
        }
      }
  }
}
