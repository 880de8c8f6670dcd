/** The dense grid of intervals that features are computed on. */
import { HOUR_US, micros, type Micros } from '#core/time.ts'

export interface Grid {
  /** Start of the first interval. */
  readonly from: Micros
  /** Length of an interval; a divisor of a day. */
  readonly step_us: number
  /** Number of intervals. The grid has no gaps. */
  readonly row_count: number
}

/** The intervals from the one that holds `first_ts` to the one that holds `last_ts`. */
export function gridOf(first_ts: Micros, last_ts: Micros, step_us: number): Grid {
  const from = Math.floor(first_ts / step_us) * step_us
  const row_count = Math.floor((last_ts - from) / step_us) + 1
  return { from: micros(from), step_us, row_count }
}

/** Row of the interval that contains this time. */
export function rowOf(grid: Grid, ts: number): number {
  return Math.floor((ts - grid.from) / grid.step_us)
}

/** End of a row's interval, which is the start of the next. */
export function endOf(grid: Grid, row: number): number {
  return grid.from + (row + 1) * grid.step_us
}

/** Starts of the intervals, in the type that Parquet and Arrow columns take. */
export function gridTimes({ from, step_us, row_count }: Grid): BigInt64Array {
  const times = new BigInt64Array(row_count)
  for (let row = 0; row < row_count; row++) times[row] = BigInt(from + row * step_us)
  return times
}

/** Rows [first, end) of a grid that begin in one clock hour. */
export interface GridHour {
  /** End of the hour. */
  readonly to: Micros
  readonly first: number
  readonly end: number
}

/** All hours of the grid in order; only the first and the last may be partial. */
export function hoursOf(grid: Grid): readonly GridHour[] {
  const hours: GridHour[] = []
  for (let first = 0; first < grid.row_count; first = hours.at(-1)!.end) {
    const start = grid.from + first * grid.step_us
    const to = micros((Math.floor(start / HOUR_US) + 1) * HOUR_US)
    hours.push({ to, first, end: Math.min(rowOf(grid, to), grid.row_count) })
  }
  return hours
}
