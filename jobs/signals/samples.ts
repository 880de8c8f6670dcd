/** The levels of a row of orderbook_topn as a sample of the book. */
import type { Level } from '#core/market.ts'
import { WALL } from '#core/signals/parameters.ts'
import type { BookSample } from '#core/signals/wall-signals.ts'
import type { Micros } from '#core/time.ts'
import { TOP_LEVELS } from '../topn/row.ts'

const SIDE_VALUES = 2 * TOP_LEVELS

/** `values`: price and quantity of the best levels, bids first; null for a missing level. */
export function sampleOf(ts: Micros, values: readonly (number | null)[]): BookSample {
  const sideAt = (first: number): readonly Level[] => {
    const levels: Level[] = []
    for (let rank = 0; rank < WALL.levels; rank++) {
      const [price, qty] = [values[first + 2 * rank], values[first + 2 * rank + 1]]
      if (typeof price === 'number' && typeof qty === 'number') levels.push([price, qty])
    }
    return levels
  }
  return { ts, bids: sideAt(0), asks: sideAt(SIDE_VALUES) }
}
