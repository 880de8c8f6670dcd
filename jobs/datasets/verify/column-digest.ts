/** Compares the values and order of two files without holding both in memory. */
import { createHash } from 'node:crypto'

/** One value per row: null, number, bigint or string. */
export type Values = ArrayLike<unknown>

export class ColumnDigests {
  readonly #hashes = new Map<string, ReturnType<typeof createHash>>()

  /** The column's next values. */
  add(column: string, values: Values): void {
    let hash = this.#hashes.get(column)
    if (hash === undefined) {
      hash = createHash('sha256')
      this.#hashes.set(column, hash)
    }
    if (typeof values[0] === 'string') {
      hash.update(`${Array.from(values).join('\0')}\0`)
      return
    }
    const numbers = new Float64Array(values.length)
    for (let row = 0; row < numbers.length; row++) {
      const value = values[row]
      numbers[row] = value === null || value === undefined ? NaN : Number(value)
    }
    hash.update(numbers)
  }

  /** By column. Call once. */
  finish(): ReadonlyMap<string, string> {
    return new Map([...this.#hashes].map(([column, hash]) => [column, hash.digest('hex')]))
  }
}
