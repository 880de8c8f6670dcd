/** Each formula: tables of worked examples, and identities over random books. */
import { describe, expect, test } from 'vitest'
import { decimalOf, DecimalSum, nearest, Scale } from '#core/decimals.ts'
import {
  addOfi,
  mid,
  queueImbalance,
  spread,
  type TopOfBook,
  tradeImbalance,
  vwap,
  weightedMid,
} from '../../../jobs/formulas/formulas.ts'

const book = (best_bid: number, bid_qty: number, best_ask: number, ask_qty: number): TopOfBook => ({
  best_bid,
  bid_qty,
  best_ask,
  ask_qty,
})

function ofi(before: TopOfBook, after: TopOfBook): number {
  const sum = new DecimalSum()
  addOfi(sum, new Scale(), before, after)
  return nearest(sum.value)
}

/** A small linear congruential generator: the same books in every run. */
function randomBooks(seed: number, count: number): readonly TopOfBook[] {
  let state = seed
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
  return Array.from({ length: count }, () => {
    const best_bid = 100 + next(5)
    return book(best_bid, 1 + next(9), best_bid + 1 + next(3), 1 + next(9))
  })
}

const before = book(100, 5, 101, 7)
describe('ofi', () => {
  for (const [name, after, expected] of [
    ['nothing changed', before, 0],
    ['bid queue grew', book(100, 8, 101, 7), 3],
    ['bid queue shrank', book(100, 1, 101, 7), -4],
    ['bid price rose: the whole new queue is added', book(100.5, 2, 101, 7), 2],
    ['bid price fell: the whole old queue is gone', book(99, 9, 101, 7), -5],
    ['ask queue grew', book(100, 5, 101, 9), -2],
    ['ask queue shrank', book(100, 5, 101, 3), 4],
    ['ask was consumed: its whole old queue is gone', book(100, 5, 102, 3), 7],
    ['ask price fell: the whole new queue is added', book(100, 5, 100.5, 2), -2],
    ['both sides moved up', book(101, 4, 102, 6), 4 + 7],
  ] as const) {
    test(`ofi: ${name}`, () => expect(ofi(before, after)).toBe(expected))
  }

  test('a mirrored book negates it', () => {
    const mirror = ({ best_bid, bid_qty, best_ask, ask_qty }: TopOfBook): TopOfBook =>
      book(-best_ask, ask_qty, -best_bid, bid_qty)
    const books = randomBooks(7, 2_000)
    for (let i = 1; i < books.length; i++) {
      const [a, b] = [books[i - 1]!, books[i]!]
      expect(ofi(mirror(a), mirror(b))).toBe(0 - ofi(a, b))
    }
  })

  test('there and back again sums to 0, whatever happens in between', () => {
    const [a, b] = randomBooks(11, 2) as [TopOfBook, TopOfBook]
    expect(ofi(a, b) + ofi(b, a)).toBe(0)
  })

  test('while prices do not change, the sum is the change of the bid queue minus that of the ask queue', () => {
    const books = randomBooks(3, 500).map((b) => ({ ...b, best_bid: 100, best_ask: 101 }))
    let sum = 0
    for (let i = 1; i < books.length; i++) sum += ofi(books[i - 1]!, books[i]!)
    const [first, last] = [books[0]!, books.at(-1)!]
    expect(sum).toBe(last.bid_qty - first.bid_qty - (last.ask_qty - first.ask_qty))
  })
})

test('mid and spread', () => {
  expect(mid(before)).toBe(100.5)
  expect(spread(before)).toBe(1)
  expect(spread(book(101, 1, 100, 1))).toBe(-1)
})

test('weighted mid leans to the thinner side, stays inside the spread, and is m + s/2 * I1', () => {
  expect(weightedMid(book(100, 30, 101, 10))).toBe(100.75)
  for (const b of randomBooks(5, 500)) {
    const wm = weightedMid(b)!
    expect(wm).toBeGreaterThan(b.best_bid)
    expect(wm).toBeLessThan(b.best_ask)
    expect(wm).toBeCloseTo(mid(b) + (spread(b) / 2) * queueImbalance(b)!, 10)
  }
})

test('queue imbalance runs from -1 to 1', () => {
  expect(queueImbalance(book(100, 3, 101, 1))).toBe(0.5)
  expect(queueImbalance(book(100, 0, 101, 1))).toBe(-1)
  expect(queueImbalance(book(100, 2, 101, 0))).toBe(1)
})

test('0/0 is null, never 0', () => {
  expect(weightedMid(book(100, 0, 101, 0))).toBeNull()
  expect(queueImbalance(book(100, 0, 101, 0))).toBeNull()
  expect(vwap(decimalOf(0), decimalOf(0))).toBeNull()
  expect(tradeImbalance(decimalOf(0), decimalOf(0))).toBeNull()
})

test('vwap and trade imbalance', () => {
  expect(vwap(decimalOf(100 * 2 + 103 * 1), decimalOf(3))).toBe(101)
  expect(tradeImbalance(decimalOf(3), decimalOf(1))).toBe(0.5)
  expect(tradeImbalance(decimalOf(0), decimalOf(1))).toBe(-1)
})
