/** Rows of one symbol as named columns, from Postgres or from a Parquet file. */
import type { ColumnData, LevelColumn } from './columns.ts'

/**
 * Arrays may be longer than `row_count`. The getters throw if the column was not read or has
 * another type.
 */
export class RowChunk {
  readonly row_count: number
  readonly #columns: ReadonlyMap<string, ColumnData>

  constructor(row_count: number, columns: ReadonlyMap<string, ColumnData>) {
    this.row_count = row_count
    this.#columns = columns
  }

  /** For timestamptz (microseconds since 1970), int8 and float8; NaN for a null. */
  numbers(name: string): Float64Array {
    const { values, nulls } = this.#column(name, 'numbers')
    if (nulls === undefined) return values
    return values.map((value, row) => (nulls[row] === 1 ? Number.NaN : value))
  }

  /** For bool: 1 is true. */
  flags(name: string): Uint8Array {
    return this.#column(name, 'flags').values
  }

  texts(name: string): readonly string[] {
    const { words, codes } = this.#column(name, 'texts')
    return Array.from(codes.subarray(0, this.row_count), (code) => words[code]!)
  }

  levels(name: string): LevelColumn {
    return this.#column(name, 'levels')
  }

  #column<Kind extends ColumnData['kind']>(
    name: string,
    kind: Kind,
  ): Extract<ColumnData, { readonly kind: Kind }> {
    const column = this.#columns.get(name)
    if (column?.kind !== kind) {
      throw new Error(`Column ${name} was read as ${column?.kind ?? 'nothing'}, not as ${kind}.`)
    }
    return column as Extract<ColumnData, { readonly kind: Kind }>
  }
}
