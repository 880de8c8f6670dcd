import { expect, test } from 'vitest'
import { BookSide, OrderBook } from '#core/book.ts'
import type { Level } from '#core/market.ts'

/** Reproducible random numbers: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The simplest possible book side. */
function sorted(levels: ReadonlyMap<number, number>, sign: 1 | -1): readonly Level[] {
  return [...levels].toSorted(([a], [b]) => sign * (b - a))
}

for (const [name, sign] of [
  ['bids', 1],
  ['asks', -1],
] as const) {
  test(`${name} equal a sorted map after random inserts, changes and removals`, () => {
    const random = randomFrom(7)
    const model = new Map<number, number>()
    const side = new BookSide(sign)
    for (let step = 0; step < 20_000; step++) {
      // Phases of growth and shrinkage, near the best level and far from it.
      const shrinks = Math.floor(step / 2_500) % 2 === 1
      const price = Math.round(1_000 + sign * -Math.abs(random() + random() - 1) * 900) / 10
      const qty = random() < (shrinks ? 0.7 : 0.2) ? 0 : Math.ceil(random() * 100) / 8
      side.set(price, qty)
      if (qty > 0) model.set(price, qty)
      else model.delete(price)
      if (step % 500 === 0) expect(side.top(Infinity)).toEqual(sorted(model, sign))
    }
    expect(side.level_count).toBe(model.size)
    expect(side.top(10)).toEqual(sorted(model, sign).slice(0, 10))
  })
}

test('a snapshot may be unsorted, repeat a price and contain empty levels', () => {
  const book = new OrderBook()
  book.replace({
    bids: [
      [99, 1],
      [98, 0],
      [99.5, 2],
      [99, 3],
    ],
    asks: [
      [102, 4],
      [100, 5],
    ],
  })
  expect(book.bids.top(9)).toEqual([
    [99.5, 2],
    [99, 3],
  ])
  expect(book.asks.top(9)).toEqual([
    [100, 5],
    [102, 4],
  ])
  expect(book.level_count).toBe(4)
})

test('a second snapshot replaces the first, and a diff continues it', () => {
  const book = new OrderBook()
  const levels = Array.from({ length: 500 }, (_, index) => [100 - index, 1] as const)
  book.replace({ bids: levels, asks: [[101, 1]] })
  book.replace({ bids: [[50, 2]], asks: [] })
  book.apply({
    bids: [
      [51, 3],
      [50, 0],
      [7, 0],
    ],
    asks: [[52, 1]],
  })
  expect(book.bids.top(9)).toEqual([[51, 3]])
  expect(book.asks.top(9)).toEqual([[52, 1]])
})

for (const [name, bids, asks, expected] of [
  ['both sides are empty', [], [], false],
  ['one side is empty', [[100, 1]], [], false],
  ['there is a spread', [[100, 1]], [[100.1, 1]], false],
  ['bid and ask are equal', [[100, 1]], [[100, 1]], true],
  ['the bid is above the ask', [[100.1, 1]], [[100, 1]], true],
] as const) {
  test(`${expected ? 'crossed' : 'not crossed'}: ${name}`, () => {
    const book = new OrderBook()
    book.replace({ bids, asks })
    expect(book.is_crossed).toBe(expected)
  })
}

test('a rank beyond the last level is NaN, never a removed level', () => {
  const side = new BookSide(-1)
  side.set(5, 1)
  side.set(5, 0)
  expect(side.priceAt(0)).toBeNaN()
  expect(side.qtyAt(0)).toBeNaN()
})
