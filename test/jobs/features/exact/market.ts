/**
 * A random day of one symbol, as decimal texts and as the doubles that a recorder would store:
 * empty seconds, empty sides, crossed quotes, gaps, and books that are lost and recovered.
 */
import type { Level } from '#core/market.ts'
import { micros } from '#core/time.ts'
import type { StreamGap } from '../../../../jobs/day/gaps.ts'
import { randomNumbers } from '../random.ts'

/** Decimal places, and the largest whole number of ticks or lots. */
export interface Scales {
  readonly price_digits: number
  readonly first_price: number
  readonly qty_digits: number
  readonly qty_max: number
}

export interface Side {
  readonly price: string
  readonly qty: string
}

export interface Quote {
  readonly ts: number
  readonly bid: Side | undefined
  readonly ask: Side | undefined
}

export interface Trade {
  readonly ts: number
  readonly price: string
  readonly qty: string
  readonly is_sell: boolean
}

export interface Mark {
  readonly ts: number
  readonly mark: string
  readonly index: string | undefined
  readonly funding: string | undefined
}

export interface Liquidation {
  readonly ts: number
  readonly qty: string
  readonly is_buy: boolean
}

/** A snapshot and the updates that follow it without a gap. */
export interface Chain {
  readonly snapshot: Book
  readonly updates: readonly (Book & { readonly ts: number })[]
}

export interface Book {
  readonly bids: readonly Side[]
  readonly asks: readonly Side[]
}

export interface Market {
  readonly seconds: number
  readonly tick: string
  readonly quotes: readonly Quote[]
  readonly quote_gaps: readonly StreamGap[]
  readonly trades: readonly Trade[]
  readonly trade_gaps: readonly StreamGap[]
  readonly marks: readonly Mark[]
  readonly liquidations: readonly Liquidation[]
  readonly chains: readonly Chain[]
}

export function decimalText(units: number, digits: number): string {
  const padded = String(units).padStart(digits + 1, '0')
  return digits === 0 ? padded : `${padded.slice(0, -digits)}.${padded.slice(-digits)}`
}

export function randomMarket(seed: number, seconds: number, scales: Scales): Market {
  const random = randomNumbers(seed)
  const below = (end: number): number => Math.floor(random() * end)
  const price = (units: number): string => decimalText(units, scales.price_digits)
  const qty = (): string =>
    decimalText(1 + below(below(3) === 0 ? 40 : scales.qty_max), scales.qty_digits)
  const side = (units: number): Side => ({ price: price(units), qty: qty() })
  let at = scales.first_price
  const walk = (): number => (at = Math.max(60, at + below(7) - 3))
  const times = (count: number, from_s: number, to_s: number): readonly number[] =>
    [
      ...new Set(
        Array.from(
          { length: count },
          () => 2 * Math.floor((from_s + random() * (to_s - from_s)) * 5e5),
        ),
      ),
    ].toSorted((a, b) => a - b)
  // Gaps are at odd microseconds: between two events.
  const odd = (second: number): ReturnType<typeof micros> =>
    micros(2 * Math.floor(second * 5e5) + 1)
  const gap = (from_s: number, length_s: number, repaired = false): StreamGap => ({
    from_ts: odd(from_s),
    to_ts: odd(from_s + length_s),
    from_id: null,
    to_id: null,
    cause: 'disconnect',
    repaired,
  })
  const busy = times(seconds, 0, seconds * 0.6)
  const quotes = [...busy, ...times(Math.floor(seconds / 2), seconds * 0.6, seconds)].map(
    (ts): Quote => {
      const bid = walk()
      const ask = bid + (below(30) === 0 ? -1 - below(3) : below(30) === 0 ? 0 : 1 + below(4))
      // Not while windows of several minutes fill.
      const missing = ts > seconds * 7.6e5 ? below(20) : -1
      return {
        ts,
        bid: missing === 0 ? undefined : side(bid),
        ask: missing === 1 ? undefined : side(ask),
      }
    },
  )
  const trades = times(Math.floor(seconds * 1.5), 0, seconds).map((ts): Trade => ({
    ts,
    price: price(walk()),
    qty: qty(),
    is_sell: below(2) === 0,
  }))
  const marks = times(Math.floor(seconds / 3), 5, seconds).map((ts): Mark => ({
    ts,
    mark: decimalText(walk() * 10 + below(10), scales.price_digits + 1),
    index: below(9) === 0 ? undefined : price(walk()),
    funding: below(9) === 0 ? undefined : `-0.0000${below(999)}`,
  }))
  const liquidations = times(20, 0, seconds).map((ts): Liquidation => ({
    ts,
    qty: qty(),
    is_buy: below(2) === 0,
  }))
  const chains = [
    chain(times(seconds, 3, seconds * 0.5)),
    chain(times(Math.floor(seconds / 2), seconds * 0.55, seconds - 1)),
  ]
  return {
    seconds,
    tick: price(1),
    quotes,
    quote_gaps: [gap(seconds * 0.2, 2, true), gap(seconds * 0.8, 0.01), gap(seconds * 0.88, 4.2)],
    trades,
    trade_gaps: [gap(seconds * 0.84, 1.3)],
    marks,
    liquidations,
    chains,
  }

  /** Books of about eleven levels per side, and for a while of fewer than ten. */
  function chain(moments: readonly number[]): Chain {
    const middle = at
    const levels = (sign: 1 | -1, count: number): Side[] => {
      let units = middle
      return Array.from({ length: count }, () => side((units += sign * (1 + below(3)))))
    }
    const bids = levels(-1, 12)
    const asks = levels(1, 12)
    const snapshot = { bids: [...bids], asks: [...asks] }
    let is_thin = false
    const updates = moments.map((ts) => {
      if (below(15) === 0) is_thin = !is_thin
      const change = (
        side_levels: readonly Side[],
        other: readonly Side[],
        sign: 1 | -1,
      ): readonly Side[] => {
        const old = side_levels[below(Math.min(10, side_levels.length))]!
        const does_go = is_thin
          ? side_levels.length > 4 && below(2) === 0
          : side_levels.length > 10 && below(3) === 0
        const changes: Side[] = [{ price: old.price, qty: does_go ? '0' : qty() }]
        if (side_levels.length >= 13 || (is_thin && below(3) > 0)) return changes
        const unitsOf = (level: Side): number =>
          Math.round(Number(level.price) * 10 ** scales.price_digits)
        const inner = unitsOf(side_levels[0]!) - sign
        const has_room = sign * (inner - unitsOf(other[0]!)) > 0 && below(2) === 0
        changes.push(side(has_room ? inner : unitsOf(side_levels.at(-1)!) + sign * (1 + below(2))))
        return changes
      }
      const of_bids = change(bids, asks, -1)
      applied(bids, of_bids, -1)
      const of_asks = change(asks, bids, 1)
      applied(asks, of_asks, 1)
      return { ts, bids: of_bids, asks: of_asks }
    })
    return { snapshot, updates }
  }
}

/** In place; best first. `sign` is 1 for asks, -1 for bids. */
export function applied(levels: Side[], changes: readonly Side[], sign: 1 | -1): void {
  for (const change of changes) {
    const rank = levels.findIndex(({ price }) => price === change.price)
    if (rank >= 0) levels.splice(rank, 1)
    if (change.qty !== '0') levels.push(change)
  }
  levels.sort((a, b) => sign * (Number(a.price) - Number(b.price)))
}

export const levelsOf = (sides: readonly Side[]): readonly Level[] =>
  sides.map(({ price, qty }) => [Number(price), Number(qty)] as const)
