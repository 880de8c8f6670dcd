/**
 * A day of trades and quotes as Binance's archive has them, and what follows from its rows,
 * computed here again and not by the jobs. Prices and quantities are sums of powers of two, so that
 * every sum is exact.
 */
import { seeded } from '../rollups/support.ts'
import { DAY_MS } from './made-files.ts'

export interface MadeTrade {
  readonly id: number
  readonly ms: number
  readonly price: number
  readonly qty: number
  readonly first: number
  readonly last: number
  readonly is_buyer_maker: boolean
}

export interface MadeQuote {
  readonly id: number
  readonly ms: number
  readonly bid: number
  readonly bid_qty: number
  readonly ask: number
  readonly ask_qty: number
}

export interface MadeMarket {
  readonly trades: readonly MadeTrade[]
  readonly quotes: readonly MadeQuote[]
}

const STEP_MAX_MS = 9_000

/** Events all day long; several share a millisecond. */
export function makeMarket(seed: number): MadeMarket {
  const random = seeded(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const trades: MadeTrade[] = []
  const quotes: MadeQuote[] = []
  let mid = 60_000
  let fill = 5_000_000
  for (let ms = DAY_MS + 40; ms < DAY_MS + 86_400_000; ms += pick(8) && pick(STEP_MAX_MS)) {
    mid += (pick(5) - 2) / 2
    const fills = 1 + pick(3)
    trades.push({
      id: 900_000 + trades.length,
      ms,
      price: mid + (pick(3) - 1) / 2,
      qty: (1 + pick(80)) / 8,
      first: fill,
      last: fill + fills - 1,
      is_buyer_maker: pick(2) === 0,
    })
    fill += fills
    if (pick(4) === 0) continue
    quotes.push({
      id: 7_000_000 + quotes.length * 3,
      ms: ms + pick(20),
      bid: mid - 0.5,
      bid_qty: (1 + pick(80)) / 8,
      ask: mid + 0.5 * (1 + pick(2)),
      ask_qty: (1 + pick(80)) / 8,
    })
  }
  return { trades, quotes: quotes.filter(({ ms }) => ms < DAY_MS + 86_400_000) }
}

export function tradeLine(trade: MadeTrade): string {
  const { id, price, qty, first, last, ms, is_buyer_maker } = trade
  return `${id},${price},${qty},${first},${last},${ms},${is_buyer_maker}`
}

export function quoteLine({ id, bid, bid_qty, ask, ask_qty, ms }: MadeQuote): string {
  return `${id},${bid},${bid_qty},${ask},${ask_qty},${ms},${ms + 1}`
}

/** Sums and prices of trades in the order of (time, id), by the start of their interval [s]. */
export interface Bar {
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly buy_volume: number
  readonly sell_volume: number
  readonly notional: number
  readonly trade_count: number
}

export function barsOf(trades: readonly MadeTrade[], interval_s: number): ReadonlyMap<number, Bar> {
  const groups = Map.groupBy(inOrder(trades), ({ ms }) => {
    return Math.floor(ms / 1_000 / interval_s) * interval_s
  })
  return new Map([...groups].map(([start_s, some]) => [start_s, barOf(some)]))
}

function barOf(trades: readonly MadeTrade[]): Bar {
  const prices = trades.map(({ price }) => price)
  const sum = (of: (trade: MadeTrade) => number): number =>
    trades.reduce((total, trade) => total + of(trade), 0)
  return {
    open: prices[0]!,
    high: Math.max(...prices),
    low: Math.min(...prices),
    close: prices.at(-1)!,
    volume: sum(({ qty }) => qty),
    buy_volume: sum(({ qty, is_buyer_maker }) => (is_buyer_maker ? 0 : qty)),
    sell_volume: sum(({ qty, is_buyer_maker }) => (is_buyer_maker ? qty : 0)),
    notional: sum(({ qty, price }) => qty * price),
    trade_count: trades.length,
  }
}

/** `minute price bought sold buys sells` of every price of every minute, sorted. */
export function cellsOf(trades: readonly MadeTrade[]): readonly string[] {
  const cells = Map.groupBy(trades, ({ ms, price }) => `${Math.floor(ms / 60_000) * 60} ${price}`)
  return [...cells]
    .map(([key, some]) => {
      const [buys, sells] = [some.filter((one) => !one.is_buyer_maker), some.filter(isSell)]
      return `${key} ${qtyOf(buys)} ${qtyOf(sells)} ${buys.length} ${sells.length}`
    })
    .toSorted()
}

const isSell = ({ is_buyer_maker }: MadeTrade): boolean => is_buyer_maker

function qtyOf(trades: readonly MadeTrade[]): number {
  return trades.reduce((sum, { qty }) => sum + qty, 0)
}

function inOrder(trades: readonly MadeTrade[]): readonly MadeTrade[] {
  return trades.toSorted((left, right) => left.ms - right.ms || left.id - right.id)
}
