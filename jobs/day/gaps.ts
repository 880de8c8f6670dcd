/**
 * What a hole in a stream does to features: where the chain of quotes is cut, and which
 * intervals of the other streams are unknown. Pure; the ledger's rows come from source/.
 */
import type { GapCause } from '#core/market.ts'
import { micros, type Micros } from '#core/time.ts'
import { rowOf, type Grid } from './grid.ts'

/** The end of a hole that has none yet: after every event. */
export const OPEN_END = micros(Infinity)

/** A row of the gap ledger: we know nothing of what lies between the two events. */
export interface StreamGap {
  readonly from_ts: Micros
  /** OPEN_END where it has not ended. */
  readonly to_ts: Micros
  readonly from_id: number | null
  readonly to_id: number | null
  readonly cause: GapCause
  /** True where everything that was missing has been refilled: such a gap changes nothing. */
  readonly repaired: boolean
}

/**
 * A cut in a stream sorted by (ts, id): events whose (ts, id) is smaller come before it. Ids are
 * whole numbers, so a half, or an infinity where the id is not known, lies between two of them.
 */
export interface Cut {
  readonly ts: number
  readonly id: number
}

/**
 * Both ends of every open gap, in order. The far end is cut too, because rows inside a hole
 * (a second recorder heard some of it) do not make it whole.
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

/** True where the event lies behind the cut. */
export function isBehind(cut: Cut, ts: number, id: number): boolean {
  return cut.ts < ts || (cut.ts === ts && cut.id < id)
}

/**
 * 1 for every row of the grid that an open gap touches. Both ends count as touched: what is
 * missing may bear the very timestamp of the event before or after the hole.
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

/** True where an open gap leaves unknown what was so at this moment: (from_ts, to_ts]. */
export function isUnknownAt(gap: StreamGap, ts: number): boolean {
  return !gap.repaired && gap.from_ts < ts && ts <= gap.to_ts
}

/** Infinity - Infinity is NaN, which no sort survives. */
function compareIds(a: number, b: number): number {
  return a === b ? 0 : a - b
}
