/** Rows of one symbol, in the shape that the file writers take. */
import type { Feature } from '#core/features.ts'
import type { Exchange } from '#core/symbols.ts'

export interface DatasetRows {
  readonly exchange: Exchange
  readonly symbol: string
  /** Starts of the intervals, microseconds since 1970. */
  readonly ts: BigInt64Array
  /** Every other column of the registry by name; NaN is null. A word is its index in `words`. */
  readonly columns: Readonly<Record<string, Float64Array>>
}

/** The values of a registry column; throws if the computation did not produce it. */
export function valuesOf(rows: DatasetRows, feature: Feature): Float64Array {
  const values = rows.columns[feature.name]
  if (values === undefined) throw new Error(`No values for column ${feature.name} of the registry.`)
  return values
}

export function hasNull(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return true
  return false
}
