/** Candles against a slow fold straight from the definitions, and at the edges of the day. */
import { expect, test } from 'vitest'
import { DAY_US, micros, SECOND_US } from '#core/time.ts'
import { CandleFold } from '../../../jobs/candles/candle-fold.ts'
import { CANDLES, INTERVALS_S } from '../../../jobs/candles/columns.ts'
import { randomNumbers } from '../features/random.ts'

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

test('every candle of every length is what its own trades say', () => {
  const random = randomNumbers(7)
  const times = Array.from({ length: 3_000 }, () => Math.floor(random() * DAY_US)).toSorted((a, b) => a - b)
  const trades = times.map((ts) => ({
    ts, price: 100 + Math.floor(random() * 64) / 8, qty: Math.ceil(random() * 16) / 8, sold: random() < 0.5,
  }))
  const rows = fold(trades)
  expect(rows).toHaveLength(INTERVALS_S.reduce<number>((sum, seconds) => sum + 86_400 / seconds, 0))
  for (const row of rows) {
    const inside = trades.filter(({ ts }) => {
      const second = ts / SECOND_US
      return second >= row.start_s && second < row.start_s + row['interval_s']!
    })
    const sum = (of: (trade: Trade) => number): number => inside.reduce((total, trade) => total + of(trade), 0)
    const prices = inside.map(({ price }) => price)
    const none = inside.length === 0
    // Eighths add up exactly.
    expect(row).toEqual({
      start_s: row.start_s,
      interval_s: row['interval_s'],
      open: none ? NaN : prices[0],
      high: none ? NaN : Math.max(...prices),
      low: none ? NaN : Math.min(...prices),
      close: none ? NaN : prices.at(-1),
      volume: sum(({ qty }) => qty),
      buy_volume: sum(({ qty, sold }) => (sold ? 0 : qty)),
      sell_volume: sum(({ qty, sold }) => (sold ? qty : 0)),
      notional: sum(({ price, qty }) => price * qty),
      trade_count: inside.length,
      vwap: none ? NaN : sum(({ price, qty }) => price * qty) / sum(({ qty }) => qty),
      missing_s: 0,
    })
  }
})

test('a gap marks the candles that it touches, and one that is all gap has no values', () => {
  const blind = new Uint8Array(86_400).fill(1, 50, 130)
  const rows = fold([{ ts: 55e6, price: 9, qty: 1, sold: false }], WHOLE_DAY, blind)
  const minutes = rows.filter((row) => row['interval_s'] === 60)
  expect(minutes.slice(0, 4).map((row) => [row['missing_s'], row['close'], row['volume']])).toEqual([
    [10, 9, 1],
    [60, NaN, NaN],
    [10, NaN, 0],
    [0, NaN, 0],
  ])
  expect(rows.at(-1)).toMatchObject({ interval_s: 86_400, missing_s: 80, open: 9, trade_count: 1 })
})

test('candles begin with the one that holds the first event, and what was before it is missing', () => {
  const grid = { from: micros(FROM + 7_230 * SECOND_US), step_us: SECOND_US, row_count: 3_600 }
  const rows = fold([{ ts: 7_231e6, price: 9, qty: 1, sold: true }], grid)
  const of = (interval_s: number) => rows.filter((row) => row['interval_s'] === interval_s)
  expect(of(60).map(({ start_s }) => start_s)).toEqual(Array.from({ length: 61 }, (_, i) => 7_200 + i * 60))
  expect([of(60)[0]!['missing_s'], of(60)[60]!['missing_s']]).toEqual([30, 30])
  expect(of(3_600).map((row) => [row.start_s, row['missing_s']])).toEqual([[7_200, 30], [10_800, 3_570]])
  expect(of(86_400)).toMatchObject([{ start_s: 0, missing_s: 82_800, sell_volume: 1, buy_volume: 0 }])
})

test('what is computed is what the registry says', () => {
  const names = CANDLES.columns.map(({ name }) => name)
  const { start_s: _start_s, ...row } = fold([])[0]!
  expect(['ts', 'exchange', 'symbol', ...Object.keys(row)].toSorted()).toEqual(names.toSorted())
})
