/**
 * A column of exact decimals. Values computed from several rows start from these, not from rounded
 * doubles. A double of up to 15 digits identifies one decimal; longer decimals are kept in a map.
 */
import { type Decimal, decimalOf, nearest } from '#core/decimals.ts'

export interface ExactColumn {
  /** The doubles nearest to the values; NaN is null. */
  readonly column: Float64Array
  /** By row, exact values that the double does not identify. */
  readonly rest: ReadonlyMap<number, Decimal>
}

/** A whole number of this size or less has 15 digits at most, or is itself a power of ten. */
const SHORT_MAX = 1e15

export class ExactColumnWriter implements ExactColumn {
  readonly column: Float64Array
  readonly rest = new Map<number, Decimal>()

  constructor(column: Float64Array) {
    this.column = column
  }

  write(row: number, value: Decimal): void {
    this.column[row] = nearest(value)
    if (!(Math.abs(Number(value.units)) <= SHORT_MAX)) this.rest.set(row, value)
  }
}

/** The exact value of a row that is not null. */
export function exactAt({ column, rest }: ExactColumn, row: number): Decimal {
  return rest.get(row) ?? decimalOf(column[row]!)
}
