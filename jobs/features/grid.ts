/** The dense grid of seconds that features stand on. */
import { SECOND_US, micros, type Micros } from '#core/time.ts'

export interface Grid {
  /** Start of the first second. */
  readonly from: Micros
  /** Seconds, without holes. */
  readonly row_count: number
}

/** The seconds from the one that holds `first_ts` to the one that holds `last_ts`. */
export function gridOf(first_ts: Micros, last_ts: Micros): Grid {
  const from = Math.floor(first_ts / SECOND_US) * SECOND_US
  return { from: micros(from), row_count: Math.floor((last_ts - from) / SECOND_US) + 1 }
}

/** Row of the second that holds this moment. */
export function rowOf(grid: Grid, ts: number): number {
  return Math.floor((ts - grid.from) / SECOND_US)
}

/** Starts of the seconds, as Parquet and Arrow want them. */
export function gridTimes(grid: Grid): BigInt64Array {
  const times = new BigInt64Array(grid.row_count)
  for (let row = 0; row < grid.row_count; row++) times[row] = BigInt(grid.from + row * SECOND_US)
  return times
}
