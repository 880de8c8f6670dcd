/** The depth filter: levels with mid * (1 - range %) <= price <= mid * (1 + range %), in steps. */
import type { BookSide, OrderBook } from '#core/book.ts'

export interface Rung {
  /** Lowest price of a step of bids, highest of a step of asks. */
  readonly price: number
  readonly qty: number
  /** Of the greatest quantity of the ladder. */
  readonly share: number
}

export interface LadderView {
  readonly mid: number
  readonly spread: number
  /** Of all quantity within the range. */
  readonly bid_share: number
  readonly decimals: number
  /** Best first. */
  readonly bids: readonly Rung[]
  readonly asks: readonly Rung[]
}

/** Undefined while a side is empty. */
export function ladderOf(
  { bids, asks }: OrderBook,
  range_percent: number,
  tick_size: number,
  row_count: number,
): LadderView | undefined {
  const [bid, ask] = [bids.priceAt(0), asks.priceAt(0)]
  if (Number.isNaN(bid) || Number.isNaN(ask)) return undefined
  const mid = (bid + ask) / 2
  const reach = (mid * range_percent) / 100
  const ticks = niceAtLeast(reach / row_count / tick_size)
  const step = ticks * tick_size
  const decimals = Math.max(0, -Math.floor(Math.log10(tick_size) + 1e-9))
  const below = steps(bids, mid - reach, (price) => Math.floor(price / step + 1e-6))
  const above = steps(asks, mid + reach, (price) => Math.ceil(price / step - 1e-6))
  const most = Math.max(...below.map(({ qty }) => qty), ...above.map(({ qty }) => qty))
  const rungs = (found: typeof below): readonly Rung[] =>
    found.slice(0, row_count).map(({ at, qty }) => ({ price: at * step, qty, share: qty / most }))
  const sum = (found: typeof below): number => found.reduce((all, { qty }) => all + qty, 0)
  const [bid_qty, ask_qty] = [sum(below), sum(above)]
  const bid_share = bid_qty / (bid_qty + ask_qty)
  return { mid, spread: ask - bid, bid_share, decimals, bids: rungs(below), asks: rungs(above) }
}

/** Quantities by step, from the best to the edge of the range; steps between have 0. */
function steps(
  side: BookSide,
  edge: number,
  stepOf: (price: number) => number,
): readonly { readonly at: number; readonly qty: number }[] {
  const is_bid = edge < side.priceAt(0)
  const found: { at: number; qty: number }[] = []
  for (let rank = 0; rank < side.level_count; rank++) {
    const price = side.priceAt(rank)
    if (is_bid ? price < edge : price > edge) break
    const at = stepOf(price)
    const last = found.at(-1)
    if (last?.at === at) last.qty += side.qtyAt(rank)
    else {
      for (let next = last?.at ?? at; next !== at;) {
        next += is_bid ? -1 : 1
        if (next !== at) found.push({ at: next, qty: 0 })
      }
      found.push({ at, qty: side.qtyAt(rank) })
    }
  }
  return found
}

/** The smallest of 1, 2, 5, 10 ... that is at least `least`. */
export function niceAtLeast(least: number): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(1, least)))
  return decade * ([1, 2, 5, 10].find((factor) => factor * decade >= least - 1e-9) ?? 10)
}
