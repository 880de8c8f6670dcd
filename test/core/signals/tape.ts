/** A random tape of one symbol with everything that signals are made of, from a seed. */
import type { Level } from '#core/market.ts'
import type { Signal } from '#core/signals/signal.ts'
import { TradeSignals } from '#core/signals/trade-signals.ts'
import { type BookSample, type WallDraft, WallSignals } from '#core/signals/wall-signals.ts'
import type { BlindSpan } from '#core/signals/window.ts'
import { type Micros, micros, SECOND_US } from '#core/time.ts'

export interface TapeTrade {
  readonly ts: Micros
  readonly price: number
  readonly qty: number
  readonly is_buyer_maker: boolean
  readonly id: number
}

export interface SignalTape {
  readonly from: Micros
  readonly to: Micros
  readonly tick_size: number
  /** By (ts, id). */
  readonly trades: readonly TapeTrade[]
  readonly samples: readonly BookSample[]
  /** Of the trades. */
  readonly gaps: readonly BlindSpan[]
}

/** Numbers in [0, 1), the same for a seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const TICKS = [0.1, 0.01, 0.5, 0.000_1, 1, 0.25]

/** `from`: an ISO time. Crosses midnight if it is near enough. */
export function signalTape(seed: number, from_iso: string, minutes: number): SignalTape {
  const random = randomOf(seed)
  const tick_size = TICKS[seed % TICKS.length]!
  const digits = (String(tick_size).split('.')[1] ?? '').length
  const priceOf = (ticks: number): number => Number((ticks * tick_size).toFixed(digits))
  const from = Date.parse(from_iso) * 1_000
  const trades: TapeTrade[] = []
  const samples: BookSample[] = []
  const gaps: BlindSpan[] = []
  const walls = { bid: new Map<number, Wall>(), ask: new Map<number, Wall>() }
  let [best_bid, drift, id, buys] = [20_000, 0, 1_000, 0.5]
  for (let second = 0; second < minutes * 60; second++) {
    const start = from + second * SECOND_US
    if (second % 45 === 0) {
      drift = (random() - 0.5) * 1.6
      // Takers often push against the price, which gives divergences and absorption.
      buys = 0.5 + drift * (random() < 0.5 ? -0.45 : 0.45)
    }
    const count = Math.floor(random() * random() * 12)
    const offsets = Array.from({ length: count }, () => Math.floor(random() * 2_000) * 500)
    for (const offset of offsets.toSorted((a, b) => a - b)) {
      const is_buyer_maker = random() > buys
      const depth = Math.floor(random() * random() * 3)
      const ticks = is_buyer_maker ? best_bid - depth : best_bid + 1 + depth
      const scale = random() < 0.004 ? 900 : 1
      trades.push({
        ts: micros(start + offset),
        price: priceOf(ticks),
        qty: Number((scale * (0.001 + random() * random() * 3)).toFixed(3)),
        is_buyer_maker,
        id: id++,
      })
    }
    best_bid += Math.round((random() - 0.5) * 3 + drift)
    const levelsOf = (side: 'bid' | 'ask'): readonly Level[] => {
      const of_side = walls[side]
      for (const [ticks, wall] of of_side) if (--wall.left_s < 0) of_side.delete(ticks)
      const best = side === 'bid' ? best_bid : best_bid + 1
      const place = (rank: number): number => (side === 'bid' ? best - rank : best + rank)
      if (random() < 0.08) {
        const qty = 30 + Math.floor(random() * 50)
        of_side.set(place(1 + Math.floor(random() * 9)), { qty, left_s: random() * 25 })
      }
      return Array.from({ length: random() < 0.002 ? 7 : 10 }, (_, rank) => {
        const own = Number((0.5 + random() * 2).toFixed(3))
        return [priceOf(place(rank)), of_side.get(place(rank))?.qty ?? own] as const
      })
    }
    // A book that is unknown for a second.
    if (random() < 0.001) continue
    samples.push({ ts: micros(start), bids: levelsOf('bid'), asks: levelsOf('ask') })
  }
  if (seed % 3 === 0) {
    const at = trades[Math.floor(trades.length * 0.4)]!.ts
    gaps.push({ from_ts: at, to_ts: at + 90 * SECOND_US })
  }
  const is_missing = ({ ts }: TapeTrade): boolean =>
    gaps.some(({ from_ts, to_ts }) => ts > from_ts && ts < to_ts)
  return {
    from: micros(from),
    to: micros(from + minutes * 60 * SECOND_US),
    tick_size,
    trades: trades.filter((trade) => !is_missing(trade)),
    samples,
    gaps,
  }
}

interface Wall {
  readonly qty: number
  left_s: number
}

/** What was known at `to`: the signals of everything before it. */
export function signalsUntil(
  { tick_size, trades, samples, gaps }: SignalTape,
  to: number,
): readonly (Signal | WallDraft)[] {
  const seen_gaps = gaps
    .filter(({ from_ts }) => from_ts < to)
    .map((gap) => ({ ...gap, to_ts: gap.to_ts < to ? gap.to_ts : Infinity }))
  const of_trades = new TradeSignals(tick_size, seen_gaps)
  const of_walls = new WallSignals(seen_gaps)
  const drafts: WallDraft[] = []
  let next = 0
  const seeBooks = (before: number): void => {
    while (next < samples.length && samples[next]!.ts < Math.min(before, to)) {
      drafts.push(...of_walls.add(samples[next++]!))
    }
  }
  for (const { ts, price, qty, is_buyer_maker, id } of trades) {
    if (ts >= to) break
    seeBooks(ts)
    of_trades.add(ts, price, qty, is_buyer_maker, id)
    of_walls.addTrade(price, qty, is_buyer_maker)
  }
  seeBooks(Infinity)
  of_trades.advance(micros(to))
  return [...of_trades.take(), ...drafts]
}
