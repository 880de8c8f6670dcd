/**
 * Footprints against a recomputation from the raw trades with BigInt at a fixed scale, at every
 * interval and at several bins.
 */
import { expect, test } from 'vitest'
import { type Bar, binBar, joinBars } from '#core/clusters/bar.ts'
import { figuresOf } from '#core/clusters/figures.ts'
import { TradeFold } from '#core/clusters/fold-trades.ts'
import { compare, decimalOf, type Decimal, integersOf, nearest } from '#core/decimals.ts'
import { micros } from '#core/time.ts'

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const MINUTE_US = 60_000_000
const INTERVALS_MIN = [1, 5, 15, 60]
const TICK = decimalOf(0.1)
/** Every quantity and price of the test is a whole number of 10^-8. */
const ONE = 10n ** 8n

interface Trade {
  readonly ts: number
  readonly price: number
  readonly qty: number
  readonly is_buyer_maker: boolean
}

function randomTrades(seed: number, count: number): readonly Trade[] {
  let state = seed
  const below = (end: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * end)
  }
  let ticks = 600_000 + below(1000)
  let ts = Date.UTC(2026, 10, 20, 7) * 1000
  return Array.from({ length: count }, () => {
    ts += below(4_000_000)
    ticks += below(5) - 2
    const qty = below(50) === 0 ? below(2_000_000_000) / 1000 : below(2000) / 1000
    return { ts, price: ticks / 10, qty, is_buyer_maker: below(2) === 0 }
  })
}

function foldMinutes(trades: readonly Trade[]): readonly Bar[] {
  const fold = new TradeFold(MINUTE_US)
  for (const { ts, price, qty, is_buyer_maker } of trades) {
    fold.add(micros(ts), price, qty, is_buyer_maker)
  }
  return fold.take()
}

function groupBars(bars: readonly Bar[], interval_us: number): readonly Bar[] {
  const groups = Map.groupBy(bars, ({ ts }) => ts - (ts % interval_us))
  return [...groups].map(([ts, group]) => joinBars(micros(ts), group))
}

function scaled(value: Decimal): bigint {
  const [units, one] = integersOf(value, { units: 1, digits: 8 })
  expect(BigInt(one)).toBe(1n)
  return BigInt(units)
}

const exact = (value: number): bigint => scaled(decimalOf(value))

/** The footprint of the trades, in the plainest way. */
function reference(trades: readonly Trade[], bin: bigint) {
  const cells = new Map<bigint, { buy: bigint; sell: bigint; buys: number; sells: number }>()
  let [delta, min_delta, max_delta] = [0n, 0n, 0n]
  for (const { price, qty, is_buyer_maker } of trades) {
    const key = (exact(price) / bin) * bin
    const cell = cells.get(key) ?? { buy: 0n, sell: 0n, buys: 0, sells: 0 }
    cells.set(key, cell)
    const units = exact(qty)
    if (is_buyer_maker) cell.sell += units
    else cell.buy += units
    if (is_buyer_maker) cell.sells++
    else cell.buys++
    delta += is_buyer_maker ? -units : units
    if (delta < min_delta) min_delta = delta
    if (delta > max_delta) max_delta = delta
  }
  const prices = trades.map(({ price }) => price)
  const sorted = [...cells].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return {
    open: prices[0]!,
    high: Math.max(...prices),
    low: Math.min(...prices),
    close: prices.at(-1)!,
    min_delta,
    max_delta,
    delta,
    cells: sorted.map(([price, cell]) => ({ price, ...cell })),
  }
}

function plain(bar: Bar, bin: bigint) {
  const figures = figuresOf(bar, decimalOf(Number(bin) / 1e8))
  return {
    open: bar.open,
    high: bar.high,
    low: bar.low,
    close: bar.close,
    min_delta: scaled(bar.min_delta),
    max_delta: scaled(bar.max_delta),
    delta: scaled(figures.delta),
    cells: bar.cells.map(({ price, buy_qty, sell_qty, buy_count, sell_count }) => ({
      price: scaled(price),
      buy: scaled(buy_qty),
      sell: scaled(sell_qty),
      buys: buy_count,
      sells: sell_count,
    })),
  }
}

test(`every bar at every bin equals a recomputation from its trades (seed ${SEED})`, () => {
  const trades = randomTrades(SEED, 8000)
  const minutes = foldMinutes(trades)
  for (const interval_min of INTERVALS_MIN) {
    const interval_us = interval_min * MINUTE_US
    const groups = [...Map.groupBy(trades, ({ ts }) => ts - (ts % interval_us))]
    for (const ticks of [1, 3, 10, 70]) {
      const bin = (ONE / 10n) * BigInt(ticks)
      const step = { units: ticks, digits: 1 }
      const bars = groupBars(minutes, interval_us).map((bar) => binBar(bar, step))
      expect(bars.map((bar) => bar.ts as number)).toEqual(groups.map(([ts]) => ts))
      for (const [i, [, group]] of groups.entries()) {
        expect(plain(bars[i]!, bin), `${interval_min}m, ${ticks} ticks, bar ${i}`).toEqual(
          reference(group, bin),
        )
      }
    }
  }
})

test('bars that were binned before they are joined equal those joined first', () => {
  const minutes = foldMinutes(randomTrades(SEED, 2000))
  const step = { units: 5, digits: 1 }
  const ts = minutes[0]!.ts
  const binned_last = binBar(joinBars(ts, minutes), step)
  const binned_first = joinBars(
    ts,
    minutes.map((bar) => binBar(bar, step)),
  )
  expect(plain(binned_first, ONE / 2n)).toEqual(plain(binned_last, ONE / 2n))
})

/** A bar of the trades [price, bought, sold] at each price, with bins of one tick. */
function barOf(rows: readonly (readonly [number, number, number])[]): Bar {
  const fold = new TradeFold(MINUTE_US)
  for (const [price, bought, sold] of rows) {
    if (bought > 0) fold.add(micros(0), price, bought, false)
    if (sold > 0) fold.add(micros(1), price, sold, true)
  }
  return fold.take()[0]!
}

const prices = (decimals: readonly Decimal[]): readonly number[] => decimals.map(nearest)

test('the point of control is the bin with the most volume; of equal ones, the nearest to the middle, then the lower', () => {
  const poc = (rows: readonly (readonly [number, number, number])[]): number =>
    nearest(figuresOf(barOf(rows), TICK).poc)
  expect(
    poc([
      [10, 1, 0],
      [10.1, 2, 2],
      [10.2, 1, 2],
    ]),
  ).toBe(10.1)
  // 10.1 is nearer to the middle (10.2) than 10.
  expect(
    poc([
      [10, 3, 0],
      [10.1, 3, 0],
      [10.4, 1, 0],
    ]),
  ).toBe(10.1)
  // With odd numbers of bins around the middle, a bin's centre decides.
  expect(
    poc([
      [10, 3, 0],
      [10.1, 0, 3],
    ]),
  ).toBe(10)
})

test('the value area takes pairs of bins until 70 % of the volume is inside', () => {
  const area = (volumes: readonly number[]): readonly number[] => {
    const figures = figuresOf(barOf(volumes.map((volume, i) => [(100 + i) / 10, volume, 0])), TICK)
    return prices([figures.value_area_low, figures.value_area_high])
  }
  // Total 100, POC 40 at 10.3; above 10 + 10, below 5 + 15: equal, so above; then below.
  expect(area([10, 15, 5, 40, 10, 10, 10])).toEqual([10.1, 10.5])
  // 60 of 80 is enough.
  expect(area([10, 60, 10])).toEqual([10.1, 10.1])
  // Only one bin is left above.
  expect(area([30, 30, 31, 1])).toEqual([10, 10.2])
})

test('diagonal imbalances compare buyers with the sellers one bin below', () => {
  const { buy_imbalances, sell_imbalances } = figuresOf(
    barOf([
      [10, 1, 2],
      [10.1, 6, 9],
      [10.2, 3, 0],
      [10.4, 5, 7],
    ]),
    TICK,
  )
  // 10.1: 6 >= 3 x 2. 10.2: 3 < 27. 10.4: nothing was sold in the empty bin below it.
  expect(prices(buy_imbalances)).toEqual([10.1, 10.4])
  // 10.1: 9 >= 3 x 3. 10: 2 < 18. The highest bin has nothing above.
  expect(prices(sell_imbalances)).toEqual([10.1])
})

test('an auction is unfinished where both sides traded at the extreme', () => {
  const figures = figuresOf(
    barOf([
      [10, 0, 2],
      [10.1, 6, 9],
    ]),
    TICK,
  )
  expect(figures.is_unfinished_high).toBe(true)
  expect(figures.is_unfinished_low).toBe(false)
})

test('figures of random bars hold what their definitions say', () => {
  const bars = groupBars(foldMinutes(randomTrades(SEED, 4000)), 5 * MINUTE_US)
  for (const bar of bars) {
    const { poc, value_area_low, value_area_high } = figuresOf(bar, TICK)
    const volume = (cells: Bar['cells']): bigint =>
      cells.reduce((sum, { buy_qty, sell_qty }) => sum + scaled(buy_qty) + scaled(sell_qty), 0n)
    const inside = bar.cells.filter(({ price }) => {
      return compare(price, value_area_low) >= 0 && compare(price, value_area_high) <= 0
    })
    expect(inside.some(({ price }) => compare(price, poc) === 0)).toBe(true)
    expect(10n * volume(inside)).toBeGreaterThanOrEqual(7n * volume(bar.cells))
  }
})
