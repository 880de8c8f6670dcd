/**
 * What a hole in a stream does to features: where the chain of quotes is cut, and which seconds
 * of the trade stream are unknown. Pure; the ledger's rows come from source/.
 */
import type { GapCause } from '#core/market.ts'
import { SECOND_US, type Micros } from '#core/time.ts'
import type { Grid } from './grid.ts'

/** A row of the gap ledger: we know nothing of what lies between the two events. */
export interface StreamGap {
  readonly from_ts: Micros
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
 * 1 for every second of the grid that an open gap touches. Both ends count as touched: what is
 * missing may bear the very timestamp of the event before or after the hole.
 */
export function blindSeconds(gaps: readonly StreamGap[], grid: Grid): Uint8Array {
  const blind = new Uint8Array(grid.row_count)
  for (const gap of gaps) {
    if (gap.repaired) continue
    const first = Math.max(Math.floor((gap.from_ts - grid.from) / SECOND_US), 0)
    const last = Math.min(Math.floor((gap.to_ts - grid.from) / SECOND_US), grid.row_count - 1)
    if (first <= last) blind.fill(1, first, last + 1)
  }
  return blind
}

/** Infinity - Infinity is NaN, which no sort survives. */
function compareIds(a: number, b: number): number {
  return a === b ? 0 : a - b
}
