/** Folding events into seconds: carrying forward, gaps, empty seconds. */
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import { blindRows, cutsOf, type StreamGap } from '../../../jobs/day/gaps.ts'
import { gridOf } from '../../../jobs/day/grid.ts'
import { MidReturns } from '../../../jobs/features/mid-returns.ts'
import { QuoteFold, type QuoteColumns } from '../../../jobs/features/quote-columns.ts'
import { TradeFold, type TradeColumns } from '../../../jobs/features/trade-columns.ts'
import { windowColumns } from '../../../jobs/features/window-columns.ts'

/** [second, id, bid, bid_qty, ask, ask_qty] */
type Quote = readonly [number, number, number, number, number, number]
/** [second, price, qty, taker] */
type Trade = readonly [number, number, number, 'buy' | 'sell']

const us = (seconds: number): ReturnType<typeof micros> => micros(Math.round(seconds * 1e6))
const grid = gridOf(us(0), us(5.5), 1e6)

function gap(from: number, to: number, extra: Partial<StreamGap> = {}): StreamGap {
  return {
    from_ts: us(from),
    to_ts: us(to),
    from_id: null,
    to_id: null,
    cause: 'disconnect',
    repaired: false,
    ...extra,
  }
}

type Quotes = QuoteColumns & { readonly realised_variance: Float64Array }

function quotes(rows: readonly Quote[], gaps: readonly StreamGap[] = [], carried?: Quote): Quotes {
  const top = (q: Quote) => ({
    ts_exchange: us(q[0]),
    best_bid: q[2],
    bid_qty: q[3],
    best_ask: q[4],
    ask_qty: q[5],
  })
  const fold = new QuoteFold(grid, cutsOf(gaps), carried && top(carried))
  // One row per chunk, so that chunks end everywhere.
  for (const q of rows) {
    fold.add({
      row_count: 1,
      ts_exchange: Float64Array.of(us(q[0])),
      update_id: Float64Array.of(q[1]),
      best_bid: Float64Array.of(q[2]),
      bid_qty: Float64Array.of(q[3]),
      best_ask: Float64Array.of(q[4]),
      ask_qty: Float64Array.of(q[5]),
    })
  }
  const result = fold.finish()
  const no_trades = new TradeFold(grid, blindRows([], grid)).finish()
  const windows = windowColumns(result, no_trades, new MidReturns(result))
  return { ...result.columns, realised_variance: windows['realised_variance']! }
}

function trades(rows: readonly Trade[], gaps: readonly StreamGap[] = []): TradeColumns {
  const fold = new TradeFold(grid, blindRows(gaps, grid))
  fold.add({
    row_count: rows.length,
    ts_exchange: Float64Array.from(rows, (t) => us(t[0])),
    price: Float64Array.from(rows, (t) => t[1]),
    qty: Float64Array.from(rows, (t) => t[2]),
    is_buyer_maker: Uint8Array.from(rows, (t) => (t[3] === 'sell' ? 1 : 0)),
  })
  return fold.finish().columns
}

const N = NaN
const list = (column: Float64Array): readonly number[] => [...column]

test('a second without quotes carries the last one; its ofi and count are 0', () => {
  const c = quotes([
    [0.1, 1, 99, 1, 101, 1],
    [0.2, 2, 99, 4, 101, 1],
    [3.5, 3, 100, 2, 102, 1],
  ])
  expect(list(c.mid_close)).toEqual([100, 100, 100, 101, 101, 101])
  expect(list(c.quote_count)).toEqual([2, 0, 0, 1, 0, 0])
  // The very first quote contributes 0; in second 3 the bid rose (+2) and the ask vanished (+1).
  expect(list(c.ofi)).toEqual([3, 0, 0, 3, 0, 0])
  expect(list(c.mid_open)).toEqual([100, 100, 100, 100, 101, 101])
  expect(list(c.mid_high)).toEqual([100, 100, 100, 101, 101, 101])
  expect(list(c.mid_low)).toEqual([100, 100, 100, 100, 101, 101])
  expect(list(c.spread_mean)).toEqual([2, 2, 2, 2, 2, 2])
  expect(c.realised_variance[0]).toBeNaN()
  expect(c.realised_variance[3]).toBeCloseTo(Math.log(1.01) ** 2, 15)
  expect(c.realised_variance[4]).toBe(0)
})

test('a carried quote opens the first second but does not count as its event', () => {
  const c = quotes([[0.5, 2, 99, 3, 101, 1]], [], [-1, 1, 98, 2, 100, 1])
  expect([c.mid_open[0], c.mid_high[0], c.mid_low[0], c.mid_close[0]]).toEqual([99, 100, 99, 100])
  expect(c.quote_count[0]).toBe(1)
  // Bid rose: +3; ask rose: +1.
  expect(c.ofi[0]).toBe(4)
  expect(c.realised_variance[0]).toBeCloseTo(Math.log(100 / 99) ** 2, 15)
})

test('nothing is carried across a gap: null from its beginning to the next quote', () => {
  const c = quotes(
    [
      [0.1, 1, 99, 1, 101, 1],
      [1.2, 2, 99, 5, 101, 1],
      [3.7, 3, 99, 9, 101, 1],
      [3.8, 4, 99, 10, 101, 1],
    ],
    [gap(1.2, 3.7)],
  )
  expect(list(c.mid_close)).toEqual([100, N, N, 100, 100, 100])
  expect(list(c.quote_count)).toEqual([1, N, N, 2, 0, 0])
  // The first quote after the gap contributes 0, the second one 1.
  expect(list(c.ofi)).toEqual([0, N, N, 1, 0, 0])
  // A return across the gap is not a return of one second.
  expect(list(c.realised_variance)).toEqual([N, N, N, N, 0, 0])
})

test('a gap inside one second cuts the chain and its return, but the second has values', () => {
  const c = quotes(
    [
      [0.1, 1, 99, 1, 101, 1],
      [1.1, 2, 99, 2, 101, 1],
      [1.3, 3, 99, 8, 101, 1],
      [1.4, 4, 99, 9, 101, 1],
    ],
    [gap(1.1, 1.3)],
  )
  // +1 before the gap, +1 after it; the +6 across it may not be a single change.
  expect(c.ofi[1]).toBe(2)
  expect(c.mid_close[1]).toBe(100)
  expect(c.realised_variance[1]).toBeNaN()
  expect(c.realised_variance[2]).toBe(0)
})

test('a gap between two quotes of the same microsecond is placed by its ids', () => {
  const rows: readonly Quote[] = [
    [1.5, 10, 99, 1, 101, 1],
    [1.5, 11, 99, 2, 101, 1],
    [1.5, 15, 99, 7, 101, 1],
    [1.5, 16, 99, 8, 101, 1],
  ]
  const c = quotes(rows, [gap(1.5, 1.5, { from_id: 11, to_id: 15, cause: 'sequence' })])
  expect(c.ofi[1]).toBe(2)
})

test('rows inside an open gap do not close it: the chain starts from scratch after it', () => {
  const c = quotes(
    [
      [0.1, 1, 99, 1, 101, 1],
      [1.5, 2, 99, 2, 101, 1],
      [2.5, 3, 99, 9, 101, 1],
    ],
    [gap(0.1, 2.5)],
  )
  expect(list(c.ofi).slice(0, 3)).toEqual([N, 0, 0])
})

test('a repaired gap changes nothing', () => {
  const rows: readonly Quote[] = [
    [0.1, 1, 99, 1, 101, 1],
    [2.5, 2, 99, 4, 101, 1],
  ]
  expect(quotes(rows, [gap(0.1, 2.5, { repaired: true })])).toEqual(quotes(rows))
})

test('a book with an empty side has no mid, and the chain does not continue across it', () => {
  const c = quotes([
    [0.1, 1, 99, 1, 101, 1],
    [1.1, 2, 99, 1, N, N],
    [1.2, 3, 99, 3, N, N],
    [3.1, 4, 99, 5, 101, 1],
  ])
  for (const name of ['mid_open', 'mid_high', 'mid_low', 'mid_close', 'weighted_mid'] as const) {
    expect(list(c[name]).map(Number.isNaN)).toEqual([false, true, true, false, false, false])
  }
  expect(list(c.mid_close)).toEqual([100, N, N, 100, 100, 100])
  expect(list(c.spread_mean)).toEqual([2, N, N, 2, 2, 2])
  expect(list(c.ofi)).toEqual([0, N, N, 0, 0, 0])
  expect(list(c.realised_variance)).toEqual([N, N, N, N, 0, 0])
})

test('if one side of a book is empty, the other is known, and its quotes count', () => {
  const c = quotes([
    [0.1, 1, 99, 1, 101, 1],
    [1.1, 2, 99, 2, N, N],
    [2.1, 3, N, N, N, N],
    [3.1, 4, N, N, 101, 3],
    [4.1, 5, 99, 5, 101, 1],
    [4.2, 6, 99, 6, 101, 1],
  ])
  expect(list(c.best_bid)).toEqual([99, 99, N, N, 99, 99])
  expect(list(c.bid_qty)).toEqual([1, 2, N, N, 6, 6])
  expect(list(c.best_ask)).toEqual([101, N, N, 101, 101, 101])
  expect(list(c.ask_qty)).toEqual([1, N, N, 3, 1, 1])
  expect(list(c.quote_count)).toEqual([1, 1, 1, 1, 2, 0])
  expect(list(c.quote_age_s).map((age) => age.toFixed(1))).toEqual([
    '0.9',
    '0.9',
    '0.9',
    '0.9',
    '0.8',
    '1.8',
  ])
  expect(list(c.ofi)).toEqual([0, N, N, N, 1, 0])
})

test('a bid that vanished before midnight is not carried into the day', () => {
  const c = quotes([[1.5, 2, 99, 3, 101, 1]], [], [-1, 1, N, N, 101, 4])
  expect(list(c.best_bid)).toEqual([N, 99, 99, 99, 99, 99])
  expect(list(c.ask_qty)).toEqual([4, 1, 1, 1, 1, 1])
  expect(list(c.quote_count)).toEqual([0, 1, 0, 0, 0, 0])
  expect(list(c.ofi).slice(0, 2)).toEqual([N, 0])
})

test('quantities of 0 on both sides leave the ratios null and the prices known', () => {
  const c = quotes([[0.1, 1, 99, 0, 101, 0]])
  expect([c.mid_close[0], c.weighted_mid[0], c.i1[0]]).toEqual([100, N, N])
})

test('a second without a trade has count and volume 0 and no vwap', () => {
  const c = trades([
    [0.1, 100, 2, 'buy'],
    [0.2, 103, 1, 'sell'],
    [2.0, 100, 1, 'sell'],
  ])
  expect(list(c.trade_count)).toEqual([2, 0, 1, 0, 0, 0])
  expect(list(c.volume)).toEqual([3, 0, 1, 0, 0, 0])
  expect(list(c.buy_volume)).toEqual([2, 0, 0, 0, 0, 0])
  expect(list(c.sell_volume)).toEqual([1, 0, 1, 0, 0, 0])
  expect(list(c.notional)).toEqual([303, 0, 100, 0, 0, 0])
  expect(list(c.vwap)).toEqual([101, N, 100, N, N, N])
  expect(c.trade_imbalance[0]).toBeCloseTo(1 / 3, 15)
  expect(c.trade_imbalance[1]).toBeNaN()
})

test('every second that an open trade gap touches is null, including both ends', () => {
  const rows: readonly Trade[] = [
    [0.1, 100, 1, 'buy'],
    [1.2, 100, 1, 'buy'],
    [3, 100, 1, 'buy'],
    [4.5, 100, 1, 'buy'],
  ]
  expect(list(trades(rows, [gap(1.2, 3)]).trade_count)).toEqual([1, N, N, N, 1, 0])
  expect(list(trades(rows, [gap(1.2, 3, { repaired: true })]).trade_count)).toEqual([
    1, 1, 0, 1, 1, 0,
  ])
  // Gaps that begin before the grid or end after it touch the rows inside.
  expect(list(trades(rows, [gap(-9, 0.5), gap(4.9, 99)]).volume)).toEqual([N, 1, 0, 1, N, N])
})
