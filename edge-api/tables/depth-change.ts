/** A row of depth_events as core's books take it: with its levels in pairs. */
import type { DepthChange } from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'

/** As the database and the archive give it: price, quantity, price, quantity … */
export interface DepthRow {
  readonly bids: Float64Array
  readonly asks: Float64Array
}

export function depthChangeOf(row: DepthRow): DepthChange {
  const { bids, asks } = row
  return { ...(row as unknown as DepthChange), bids: pairsOf(bids), asks: pairsOf(asks) }
}

function pairsOf(numbers: Float64Array): readonly Level[] {
  return Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i]!, numbers[2 * i + 1]!])
}
