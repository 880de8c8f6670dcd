/**
 * Cuts spans of time into slices that are small enough for one statement each. Pure.
 *
 * Invariants
 * 1. A slice begins and ends at a whole second and is within one cell of SLICE_US, and therefore
 *    within one hour.
 * 2. Every second of a span that is in one of the hours is in the slice of its cell. That slice
 *    includes the span's symbol.
 */
import { HOUR_US, type Micros, micros, SECOND_US } from '#core/time.ts'

/** A span of one symbol, [from, to) in microseconds; either end may be infinite. */
export interface SymbolSpan {
  readonly symbol_id: number
  readonly from: number
  readonly to: number
}

/** Whole seconds [from, to) of some symbols. */
export interface Slice {
  readonly from: Micros
  readonly to: Micros
  readonly symbol_ids: readonly number[]
}

/** At 10,000 events a second one slice is three million rows. */
const SLICE_US = 300 * SECOND_US

export function floorSecond(ts: number): Micros {
  return micros(Math.floor(ts / SECOND_US) * SECOND_US)
}

export function ceilSecond(ts: number): Micros {
  return micros(Math.ceil(ts / SECOND_US) * SECOND_US)
}

/** Slices of all spans, oldest first. `hours`: starts of the hours that may be used. */
export function cutSpans(spans: readonly SymbolSpan[], hours: readonly Micros[]): readonly Slice[] {
  const cells = new Map<number, { from: number; to: number; symbol_ids: Set<number> }>()
  for (const { symbol_id, from, to } of spans) {
    const [first, end] = [floorSecond(from), ceilSecond(to)]
    for (const hour of hours) {
      const until = Math.min(end, hour + HOUR_US)
      let at = Math.max(first, hour)
      while (at < until) {
        const cell = Math.floor(at / SLICE_US) * SLICE_US
        const part_end = Math.min(until, cell + SLICE_US)
        const slice = cells.get(cell) ?? { from: at, to: part_end, symbol_ids: new Set() }
        slice.from = Math.min(slice.from, at)
        slice.to = Math.max(slice.to, part_end)
        slice.symbol_ids.add(symbol_id)
        cells.set(cell, slice)
        at = part_end
      }
    }
  }
  return [...cells.values()]
    .toSorted((a, b) => a.from - b.from)
    .map(({ from, to, symbol_ids }) => {
      return { from: micros(from), to: micros(to), symbol_ids: [...symbol_ids] }
    })
}
