/** A column of numbers of twice a double's precision, and its sums over the last rows. */
import { addWide, type Wide } from './logarithm/double-double.ts'

export class WideColumn {
  /** The doubles nearest to the values; NaN is null. */
  readonly hi: Float64Array
  readonly lo: Float64Array

  constructor(length: number) {
    this.hi = new Float64Array(length).fill(NaN)
    this.lo = new Float64Array(length).fill(NaN)
  }

  static of(length: number, valueAt: (row: number) => Wide | undefined): WideColumn {
    const column = new WideColumn(length)
    for (let row = 0; row < length; row++) column.write(row, valueAt(row))
    return column
  }

  at(row: number): Wide {
    return { hi: this.hi[row]!, lo: this.lo[row]! }
  }

  write(row: number, value: Wide | undefined): void {
    this.hi[row] = value?.hi ?? NaN
    this.lo[row] = value?.lo ?? NaN
  }
}

/**
 * Sums of the last `length` values, which must not be negative. NaN if one of them is NaN or if
 * there are too few rows. Nothing is ever subtracted, so no rounding error accumulates: each sum
 * adds the end of one block of `length` rows and the beginning of the next. Blocks are counted from
 * the start of the day's grid, and `values` begin at its row `first_row`. A sum that needs a block
 * which begins before `first_row` is NaN.
 */
export function trailingSums(values: WideColumn, length: number, first_row = 0): Float64Array {
  const row_count = values.hi.length
  const sums = new Float64Array(row_count).fill(NaN)
  const ends = new WideColumn(length)
  const cut_off = first_row % length
  for (let block = cut_off === 0 ? 0 : length - cut_off; block < row_count; block += length) {
    let begun: Wide | undefined
    for (let row = block; row < Math.min(block + length, row_count); row++) {
      begun = begun === undefined ? values.at(row) : addWide(begun, values.at(row))
      const is_last = row === block + length - 1
      if (is_last) sums[row] = begun.hi
      else if (block >= length) sums[row] = addWide(ends.at(row - block + 1), begun).hi
    }
    if (block + length > row_count) break
    let end = values.at(block + length - 1)
    ends.write(length - 1, end)
    for (let at = length - 2; at >= 0; at--) {
      end = addWide(values.at(block + at), end)
      ends.write(at, end)
    }
  }
  return sums
}
