import { minus, plus, quotient } from '#core/decimals.ts'
import type { OrderBook } from '#core/book.ts'
import { qtyOfBest } from './qty-of-best.ts'

/**
 * Imbalance of the best N levels, -1 (all on the ask) to 1 (all on the bid):
 * (sum Qb_k - sum Qa_k) / (sum Qb_k + sum Qa_k), k = 1..N. For N = 1 the queue imbalance of
 * Gould & Bonart (2015), arXiv 1512.03492. Null where a side has fewer than N levels.
 */
export function imbalance(book: OrderBook, level_count: number): number | null {
  const { bids, asks } = book
  if (Math.min(bids.level_count, asks.level_count) < level_count) return null
  const bid_qty = qtyOfBest(bids, level_count)
  const ask_qty = qtyOfBest(asks, level_count)
  return quotient(minus(bid_qty, ask_qty), plus(bid_qty, ask_qty))
}
