import { expect, test } from 'vitest'
import { OrderBook } from '#core/book.ts'
import type { Level } from '#core/market.ts'
import { decimalOf } from '#core/decimals.ts'
import { imbalance, liquiditySlope, wall } from '../../../jobs/formulas/book-shape.ts'
import { topLevels, topValues, VALUE_COLUMNS } from '../../../jobs/topn/row.ts'

function bookOf(bids: readonly Level[], asks: readonly Level[]): OrderBook {
  const book = new OrderBook()
  book.replace({ bids, asks })
  return book
}

/** Ten levels per side around 100, one basis point apart, from 100.005 outwards. */
function tenLevels(bid_qty: (k: number) => number, ask_qty: (k: number) => number): OrderBook {
  const ranks = Array.from({ length: 10 }, (_, k) => k)
  return bookOf(
    ranks.map((k) => [100 - (k + 1) / 100, bid_qty(k)] as const),
    ranks.map((k) => [100 + (k + 1) / 100, ask_qty(k)] as const),
  )
}

const MIRRORED = (book: OrderBook): OrderBook =>
  bookOf(
    book.asks.top(99).map(([price, qty]) => [200 - price, qty] as const),
    book.bids.top(99).map(([price, qty]) => [200 - price, qty] as const),
  )

for (const [name, book, n, expected] of [
  ['best level', bookOf([[99, 3]], [[101, 1]]), 1, 0.5],
  [
    'both sides equal',
    tenLevels(
      () => 2,
      () => 2,
    ),
    10,
    0,
  ],
  [
    'five levels only',
    tenLevels(
      (k) => (k < 5 ? 3 : 100),
      () => 1,
    ),
    5,
    0.5,
  ],
  [
    'fewer than five asks',
    bookOf(
      tenLevels(
        () => 1,
        () => 1,
      ).bids.top(10),
      [[101, 1]],
    ),
    5,
    null,
  ],
  ['no bid', bookOf([], [[101, 1]]), 1, null],
] as const) {
  test(`imbalance: ${name}`, () => expect(imbalance(book, n)).toBe(expected))
}

test('a mirrored book negates the imbalances and swaps walls and slopes', () => {
  const book = tenLevels(
    (k) => 1 + ((k * 7) % 10),
    (k) => 2 + ((k * 3) % 10),
  )
  const mirror = MIRRORED(book)
  for (const n of [1, 5, 10]) expect(imbalance(mirror, n)).toBeCloseTo(-imbalance(book, n)!, 12)
  expect(wall(mirror.asks, decimalOf(100), 10)!.size).toBe(
    wall(book.bids, decimalOf(100), 10)!.size,
  )
  expect(liquiditySlope(mirror.bids, decimalOf(100), 10)).toBeCloseTo(
    liquiditySlope(book.asks, decimalOf(100), 10)!,
    9,
  )
})

test('liquidity slope: quantity that grows by 2 with every basis point is 2 per bps', () => {
  const book = tenLevels(
    () => 2,
    () => 5,
  )
  expect(liquiditySlope(book.bids, decimalOf(100), 10)).toBeCloseTo(2, 9)
  expect(liquiditySlope(book.asks, decimalOf(100), 10)).toBeCloseTo(5, 9)
  expect(liquiditySlope(bookOf([[99, 1]], []).bids, decimalOf(100), 10)).toBeNull()
})

test('wall: the largest level, its distance and ratio; the nearer of two equal ones', () => {
  const { bids } = tenLevels(
    (k) => (k === 3 || k === 7 ? 50 : 10),
    () => 1,
  )
  const found = wall(bids, decimalOf(100), 10)!
  expect(found).toMatchObject({ size: 50, ratio: 5 })
  expect(found.dist_bps).toBeCloseTo(4, 9)
  expect(wall(bookOf([[99, 1]], []).bids, decimalOf(100), 10)).toBeNull()
})

test('wall: the median of ten levels is between the fifth and the sixth', () => {
  const { asks } = tenLevels(
    () => 1,
    (k) => k + 1,
  )
  expect(wall(asks, decimalOf(100), 10)).toMatchObject({ size: 10, ratio: 10 / 5.5 })
})

test('a row has a value for every column, and null if the book is too thin', () => {
  const rowOf = (book: OrderBook) => {
    const values = topValues(book, topLevels(book))
    expect(values).toHaveLength(VALUE_COLUMNS.length)
    return Object.fromEntries(VALUE_COLUMNS.map((name, at) => [name, values[at]]))
  }
  const whole = rowOf(
    tenLevels(
      () => 3,
      () => 1,
    ),
  )
  expect(Object.values(whole)).not.toContain(null)
  expect(whole).toMatchObject({
    b1_price: 99.99,
    b10_price: 99.9,
    a1_qty: 1,
    i10: 0.5,
    ask_wall_size: 1,
  })
  expect(whole['microprice']).toBeCloseTo(100.005, 9)
  const thin = rowOf(bookOf([[99, 3]], [[101, 1]]))
  expect(thin).toMatchObject({
    b1_qty: 3,
    b2_price: null,
    i1: 0.5,
    i5: null,
    bid_slope: null,
    microprice: 100.5,
  })
  const one_sided = rowOf(
    bookOf(
      tenLevels(
        () => 1,
        () => 1,
      ).bids.top(10),
      [],
    ),
  )
  expect(one_sided).toMatchObject({
    i1: null,
    microprice: null,
    bid_wall_size: null,
    a1_price: null,
  })
})
