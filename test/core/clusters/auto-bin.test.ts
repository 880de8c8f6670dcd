/** Bins by Wilder's average true range, written again from its definition with integers. */
import { expect, test } from 'vitest'
import { ATR_LOOKBACK, binOfBars, binOfSpan, type TrueRangeBar } from '#core/clusters/auto-bin.ts'

interface Ratio {
  readonly top: bigint
  readonly bottom: bigint
}

/** Prices in ticks. */
function wilder(window: readonly TrueRangeBar[]): Ratio | undefined {
  const ranges = window.slice(1).map(({ high, low }, i) => {
    const before = window[i]!.close
    return BigInt(Math.max(high - low, Math.abs(high - before), Math.abs(low - before)))
  })
  if (ranges.length < 14) return undefined
  let [top, bottom] = [ranges.slice(0, 14).reduce((sum, range) => sum + range), 14n]
  for (const range of ranges.slice(14)) {
    top = top * 13n + range * bottom
    bottom *= 14n
  }
  return { top, bottom }
}

function binOf(atr: Ratio | undefined): number {
  const bins = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]
  const fits = (ticks: number): boolean =>
    atr !== undefined && BigInt(20 * ticks) * atr.bottom <= atr.top
  return bins.findLast(fits) ?? 1
}

function inPrices(window: readonly TrueRangeBar[], tick_size: number): readonly TrueRangeBar[] {
  const digits = (String(tick_size).split('.')[1] ?? '').length
  const price = (ticks: number): number => Number((ticks * tick_size).toFixed(digits))
  return window.map(({ high, low, close }) => {
    return { high: price(high), low: price(low), close: price(close) }
  })
}

function randomBars(seed: number, count: number, size: number): readonly TrueRangeBar[] {
  let state = seed
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
  let close = 617_000
  return Array.from({ length: count }, () => {
    close += Math.round((random() - 0.5) * size)
    const [up, down] = [Math.round(random() * size), Math.round(random() * size)]
    return { high: close + up, low: close - down, close }
  })
}

test('the bin is that of the exact average of the last 140 ranges', () => {
  const found = new Set<number>()
  for (let seed = 1; seed <= 300; seed++) {
    const bars = randomBars(seed, 10 + (seed % 60) * 7, 1 + seed ** 2 / 10)
    const expected = binOf(wilder(bars.slice(-ATR_LOOKBACK - 1)))
    for (const tick_size of [0.1, 0.01, 0.000_01, 0.25]) {
      expect(binOfBars(inPrices(bars, tick_size), tick_size), `${seed}`).toBe(expected)
    }
    found.add(expected)
  }
  expect(found.size).toBeGreaterThan(8)
})

test('an average that is exactly 20 bins has them, whatever the tick size', () => {
  for (const tick_size of [0.1, 0.01, 0.001, 0.000_01, 0.3, 0.7, 5]) {
    for (const ticks of [2, 5, 10, 20, 100, 500]) {
      for (const length of [15, 100, 141]) {
        const range = 20 * ticks
        const flat = Array.from({ length }, () => ({
          high: 70_000 + range,
          low: 70_000,
          close: 70_001,
        }))
        expect(binOfBars(inPrices(flat, tick_size), tick_size)).toBe(ticks)
        // A tick less in one of the bars is too little, however far back it is.
        const less = flat.with(1, { high: 69_999 + range, low: 70_000, close: 70_001 })
        expect(binOfBars(inPrices(less, tick_size), tick_size)).toBe(binOf(wilder(less)))
        expect(binOf(wilder(less))).toBeLessThan(ticks)
      }
    }
  }
})

test('fewer than 14 ranges give one tick', () => {
  const bars = randomBars(5, 15, 10_000)
  expect(binOfBars(inPrices(bars, 0.1), 0.1)).toBeGreaterThan(100)
  expect(binOfBars(inPrices(bars.slice(1), 0.1), 0.1)).toBe(1)
  expect(binOfBars([], 0.1)).toBe(1)
})

test('a profile has at least 100 bins, exactly at the boundary too', () => {
  expect(binOfSpan(61_000, 61_000, 0.1)).toBe(1)
  expect(binOfSpan(60_000.1, 60_020.1, 0.1)).toBe(2)
  expect(binOfSpan(60_000.1, 60_020, 0.1)).toBe(1)
  expect(binOfSpan(0.012_34, 0.022_34, 0.000_01)).toBe(10)
  expect(binOfSpan(0, 4e9, 0.01)).toBe(2_000_000_000)
})
