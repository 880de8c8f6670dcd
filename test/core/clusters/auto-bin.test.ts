/** Wilder's average true range, written again from its definition, and the bins made from it. */
import { expect, test } from 'vitest'
import {
  ATR_LOOKBACK,
  autoBinTicks,
  averageTrueRange,
  type TrueRangeBar,
} from '#core/clusters/auto-bin.ts'

/** Prices in quarters, so that doubles hold every range exactly. */
const bars: readonly TrueRangeBar[] = Array.from({ length: 400 }, (_, i) => {
  const close = 1000 + ((i * 37) % 91) / 4
  return { high: close + ((i * 13) % 17) / 4, low: close - ((i * 7) % 23) / 4, close }
})

function wilder(window: readonly TrueRangeBar[]): number {
  const ranges = window.slice(1).map(({ high, low }, i) => {
    const before = window[i]!.close
    return Math.max(high - low, Math.abs(high - before), Math.abs(low - before))
  })
  let atr = ranges.slice(0, 14).reduce((sum, range) => sum + range) / 14
  for (const range of ranges.slice(14)) atr = (atr * 13 + range) / 14
  return atr
}

test('the average is that of Wilder over the last 140 ranges, wherever the reading began', () => {
  const window = bars.slice(-ATR_LOOKBACK - 1)
  expect(averageTrueRange(bars)).toBe(wilder(window))
  expect(averageTrueRange(window)).toBe(wilder(window))
  expect(Math.abs(wilder(window) / wilder(bars) - 1)).toBeLessThan(1e-4)
  expect(averageTrueRange(bars.slice(0, 15))).toBe(wilder(bars.slice(0, 15)))
  expect(averageTrueRange(bars.slice(0, 14))).toBeUndefined()
})

test('a bin has 1, 2 or 5 times a power of ten of ticks, at least 20 to the average range', () => {
  expect(autoBinTicks(undefined, 0.1)).toBe(1)
  expect(autoBinTicks(0, 0.1)).toBe(1)
  expect(autoBinTicks(3.9, 0.1)).toBe(1)
  expect(autoBinTicks(4, 0.1)).toBe(2)
  expect(autoBinTicks(10, 0.1)).toBe(5)
  expect(autoBinTicks(350, 0.1)).toBe(100)
  expect(autoBinTicks(4e9, 0.01)).toBe(20_000_000_000)
})
