/** Candles against exact sums of their trades' decimals, and at the edges of the day. */
import { expect, test } from 'vitest'
import { DAY_US, micros, SECOND_US } from '#core/time.ts'
import { CandleFold } from '../../../jobs/candles/candle-fold.ts'
import { CANDLES, INTERVALS_S } from '../../../jobs/candles/columns.ts'
import { isNearest } from '../../core/rational.ts'
import { decimalText } from '../features/exact/market.ts'
import { tradeColumns } from '../features/exact/quotes.ts'
import { randomNumbers } from '../features/random.ts'

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const FROM = micros(Date.parse('2024-08-09T00:00:00Z') * 1_000)
const WHOLE_DAY = { from: FROM, step_us: SECOND_US, row_count: 86_400 }

interface Trade {
  readonly ts: number
  readonly price: number
  readonly qty: number
  readonly sold: boolean
}

function fold(trades: readonly Trade[], grid = WHOLE_DAY, blind = new Uint8Array(grid.row_count)) {
  const candles = new CandleFold(FROM)
  for (const { ts, price, qty, sold } of trades) {
    candles.add({
      row_count: 1,
      ts_exchange: Float64Array.of(FROM + ts),
      price: Float64Array.of(price),
      qty: Float64Array.of(qty),
      is_buyer_maker: Uint8Array.of(sold ? 1 : 0),
    })
  }
  const { ts, columns } = candles.finish(grid, blind)
  return Array.from(ts, (start, row) => ({
    start_s: (Number(start) - FROM) / SECOND_US,
    ...Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[row]!])),
  })) as (Record<string, number> & { start_s: number })[]
}

for (const [name, price_digits, first_price, qty_digits, qty_max] of [
  ['ticks of 0.1, lots of 0.001', 1, 618_000, 3, 30_000],
  ['a price of 0.0000123456, whole lots', 10, 123_400, 0, 9e8],
  ['lots of 1e-12, in quantities of 15 digits', 2, 181_200, 12, 9e14],
] as const) {
  test(`every candle is the exact sum of its own trades: ${name} (seed ${SEED})`, () => {
    const random = randomNumbers(SEED)
    const times = Array.from({ length: 2_000 }, () => Math.floor(random() * DAY_US)).toSorted(
      (a, b) => a - b,
    )
    const texts = times.map((ts) => ({
      ts,
      price: decimalText(first_price + Math.floor(random() * 99), price_digits),
      qty: decimalText(1 + Math.floor(random() * qty_max), qty_digits),
      is_sell: random() < 0.5,
    }))
    const rows = fold(
      texts.map(({ ts, price, qty, is_sell }) => ({
        ts,
        price: Number(price),
        qty: Number(qty),
        sold: is_sell,
      })),
    )
    expect(rows).toHaveLength(
      INTERVALS_S.reduce<number>((sum, seconds) => sum + 86_400 / seconds, 0),
    )
    for (const row of rows) {
      const { start_s, interval_s, missing_s, open, high, low, close, ...sums } = row
      const inside = texts.filter(
        ({ ts }) => ts >= start_s * SECOND_US && ts < (start_s + interval_s!) * SECOND_US,
      )
      const prices = inside.map(({ price }) => Number(price))
      const none = inside.length === 0
      expect({ open, high, low, close, missing_s }).toEqual({
        open: none ? NaN : prices[0],
        high: none ? NaN : Math.max(...prices),
        low: none ? NaN : Math.min(...prices),
        close: none ? NaN : prices.at(-1),
        missing_s: 0,
      })
      const { trade_imbalance: _, ...exact } = tradeColumns(inside)
      expect(Object.keys(sums).toSorted()).toEqual(Object.keys(exact).toSorted())
      for (const [column, value] of Object.entries(exact)) {
        const found = sums[column]!
        const is_right = value === undefined ? Number.isNaN(found) : isNearest(found, value)
        if (!is_right)
          expect.fail(`${column} of the candle of ${interval_s} s at ${start_s} is ${found}`)
      }
    }
  })
}

test('a gap marks the candles that it touches; a candle entirely in a gap has no values', () => {
  const blind = new Uint8Array(86_400).fill(1, 50, 130)
  const rows = fold([{ ts: 55e6, price: 9, qty: 1, sold: false }], WHOLE_DAY, blind)
  const minutes = rows.filter((row) => row['interval_s'] === 60)
  expect(minutes.slice(0, 4).map((row) => [row['missing_s'], row['close'], row['volume']])).toEqual(
    [
      [10, 9, 1],
      [60, NaN, NaN],
      [10, NaN, 0],
      [0, NaN, 0],
    ],
  )
  expect(rows.at(-1)).toMatchObject({ interval_s: 86_400, missing_s: 80, open: 9, trade_count: 1 })
})

test('candles begin with the one that holds the first event, and time before it is missing', () => {
  const grid = { from: micros(FROM + 7_230 * SECOND_US), step_us: SECOND_US, row_count: 3_600 }
  const rows = fold([{ ts: 7_231e6, price: 9, qty: 1, sold: true }], grid)
  const of = (interval_s: number) => rows.filter((row) => row['interval_s'] === interval_s)
  expect(of(60).map(({ start_s }) => start_s)).toEqual(
    Array.from({ length: 61 }, (_, i) => 7_200 + i * 60),
  )
  expect([of(60)[0]!['missing_s'], of(60)[60]!['missing_s']]).toEqual([30, 30])
  expect(of(3_600).map((row) => [row.start_s, row['missing_s']])).toEqual([
    [7_200, 30],
    [10_800, 3_570],
  ])
  expect(of(86_400)).toMatchObject([
    { start_s: 0, missing_s: 82_800, sell_volume: 1, buy_volume: 0 },
  ])
})

test('the computed columns are those of the registry', () => {
  const names = CANDLES.columns.map(({ name }) => name)
  const { start_s: _start_s, ...row } = fold([])[0]!
  expect(['ts', 'exchange', 'symbol', ...Object.keys(row)].toSorted()).toEqual(names.toSorted())
})
