/** Selects the trades that a query wants, from trades sorted by id and time. */
import type { TradeQuery } from './source.ts'

/** Indexes [start, end). */
export function selectTrades(
  count: number,
  idAt: (index: number) => number,
  timeAt: (index: number) => number,
  { from_id, from_ms, to_ms, limit }: TradeQuery,
): { readonly start: number; readonly end: number } {
  if (from_id !== undefined) {
    const start = firstWhere(count, (index) => idAt(index) >= from_id)
    return { start, end: Math.min(count, start + limit) }
  }
  const past = to_ms === undefined ? count : firstWhere(count, (index) => timeAt(index) > to_ms)
  if (from_ms === undefined) return { start: Math.max(0, past - limit), end: past }
  const start = Math.min(
    past,
    firstWhere(count, (index) => timeAt(index) >= from_ms),
  )
  return { start, end: Math.min(past, start + limit) }
}

/** The first index for which `holds` is true, or `count`. It must hold for all later ones. */
export function firstWhere(count: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
