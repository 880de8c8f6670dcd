/** Columns of features during computation: one value per row of the grid; NaN is null. */
import type { Grid } from './grid.ts'

export type Columns<Name extends string> = Readonly<Record<Name, Float64Array>>

/** One column per name, filled with one value. */
export function columnsFor<Name extends string>(
  names: readonly Name[],
  { row_count }: Grid,
  value: number,
): Columns<Name> {
  const entries = names.map((name) => [name, new Float64Array(row_count).fill(value)])
  return Object.fromEntries(entries) as Columns<Name>
}

/** Values that are not null. */
export function countKnown(column: Float64Array): number {
  let count = 0
  for (const value of column) if (!Number.isNaN(value)) count += 1
  return count
}
