/**
 * What a gap does to features: it cuts the chain of quotes, and makes intervals of the other
 * streams unknown. Pure; ledger.ts reads the rows.
 */
import type { GapCause } from '#core/market.ts'
import { micros, type Micros } from '#core/time.ts'
import { rowOf, type Grid } from './grid.ts'

/** End of a gap that is still open: after every event. */
export const OPEN_END = micros(Infinity)

/** A row of the gap ledger: what happened between the two events is unknown. */
export interface StreamGap {
  readonly from_ts: Micros
  /** OPEN_END if the gap has not ended. */
  readonly to_ts: Micros
  readonly from_id: number | null
  readonly to_id: number | null
  readonly cause: GapCause
  /** True if everything that was missing has been refilled. Such a gap changes nothing. */
  readonly repaired: boolean
}

/**
 * A cut in a stream sorted by (ts, id): events with a smaller (ts, id) come before it. Ids are
 * whole numbers, so the cut uses a half to fall between two of them, or an infinity if the id is
 * unknown.
 */
export interface Cut {
  readonly ts: number
  readonly id: number
}

/**
 * Both ends of every unrepaired gap, in order. The far end is a cut too: a second recorder may have
 * left rows inside the gap, but they do not close it.
 */
export function cutsOf(gaps: readonly StreamGap[]): readonly Cut[] {
  return gaps
    .filter((gap) => !gap.repaired)
    .flatMap((gap) => [
      { ts: gap.from_ts, id: gap.from_id === null ? Infinity : gap.from_id + 0.5 },
      { ts: gap.to_ts, id: gap.to_id === null ? -Infinity : gap.to_id - 0.5 },
    ])
    .toSorted((a, b) => a.ts - b.ts || compareIds(a.id, b.id))
}

/** True if the event comes after the cut. */
export function isAfterCut(cut: Cut, ts: number, id: number): boolean {
  return cut.ts < ts || (cut.ts === ts && cut.id < id)
}

/**
 * 1 for every row of the grid that an unrepaired gap touches. Both ends count: a missing event may
 * have the same timestamp as the event before or after the gap.
 */
export function blindRows(gaps: readonly StreamGap[], grid: Grid): Uint8Array {
  const blind = new Uint8Array(grid.row_count)
  for (const gap of gaps) {
    if (gap.repaired) continue
    const first = Math.max(rowOf(grid, gap.from_ts), 0)
    const last = Math.min(rowOf(grid, gap.to_ts), grid.row_count - 1)
    if (first <= last) blind.fill(1, first, last + 1)
  }
  return blind
}

/** True if an unrepaired gap makes the state at this time unknown: (from_ts, to_ts]. */
export function isUnknownAt(gap: StreamGap, ts: number): boolean {
  return !gap.repaired && gap.from_ts < ts && ts <= gap.to_ts
}

/** Infinity - Infinity is NaN, which would break the sort. */
function compareIds(a: number, b: number): number {
  return a === b ? 0 : a - b
}
