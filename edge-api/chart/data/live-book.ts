/** The book that messages of the live stream lead to. */
import { OrderBook } from '#core/book.ts'
import type { BookMessage, PriceLevel } from '../../client/live.ts'

/** The book after the message, changed in place; undefined while it is unknown. */
export function bookAfter(
  book: OrderBook | undefined,
  { snapshot, synced, rows }: BookMessage,
): OrderBook | undefined {
  if (snapshot !== undefined) {
    const whole = new OrderBook()
    whole.replace(levelsOf(snapshot))
    return whole
  }
  // False: updates are missing. Null: it is from history, where some may be; the book comes last.
  if (synced !== true) return undefined
  for (const row of rows) book?.apply(levelsOf(row))
  return book
}

function levelsOf({
  bids,
  asks,
}: {
  readonly bids: readonly PriceLevel[]
  readonly asks: readonly PriceLevel[]
}): {
  readonly bids: readonly (readonly [number, number])[]
  readonly asks: readonly (readonly [number, number])[]
} {
  const numbers = (levels: readonly PriceLevel[]) =>
    levels.map(([price, qty]) => [Number(price), Number(qty)] as const)
  return { bids: numbers(bids), asks: numbers(asks) }
}
