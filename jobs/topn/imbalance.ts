import type { OrderBook } from '#core/book.ts'

/**
 * Imbalance of the best N levels, -1 (all on the ask) to 1 (all on the bid):
 * (sum Qb_k - sum Qa_k) / (sum Qb_k + sum Qa_k), k = 1..N. For N = 1 the queue imbalance of
 * Gould & Bonart (2015), arXiv 1512.03492. Null where a side has fewer than N levels.
 */
export function imbalance(book: OrderBook, level_count: number): number | null {
  const { bids, asks } = book
  if (Math.min(bids.level_count, asks.level_count) < level_count) return null
  let bid_qty = 0
  let ask_qty = 0
  for (let rank = 0; rank < level_count; rank++) {
    bid_qty += bids.qtyAt(rank)
    ask_qty += asks.qtyAt(rank)
  }
  return (bid_qty - ask_qty) / (bid_qty + ask_qty)
}
