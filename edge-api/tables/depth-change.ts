/** Converts a row of depth_events to the form that core's books take, with levels as pairs. */
import type { DepthChange } from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'

/** A row from the database or the archive. Levels are price, quantity, price, quantity … */
export interface DepthRow extends Omit<DepthChange, 'bids' | 'asks'> {
  readonly bids: Float64Array
  readonly asks: Float64Array
}

export function depthChangeOf(row: DepthRow): DepthChange {
  const { bids, asks } = row
  return { ...row, bids: pairsOf(bids), asks: pairsOf(asks) }
}

function pairsOf(numbers: Float64Array): readonly Level[] {
  return Array.from({ length: numbers.length / 2 }, (_, i) => [
    numbers[2 * i]!,
    numbers[2 * i + 1]!,
  ])
}
