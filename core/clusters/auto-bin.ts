/**
 * Bins that follow the market: as many ticks as the average true range of the bars before asks for,
 * so that a bar's bin never depends on its own future. Pure.
 */
import { difference } from '../decimals.ts'

/** High, low and close of a bar. */
export interface TrueRangeBar {
  readonly high: number
  readonly low: number
  readonly close: number
}

/** Bars in one average; Wilder (1978) took 14. */
export const ATR_LENGTH = 14
/**
 * Bars that an average looks back. A bar has (13/14)^k of the weight of the k-th after it, so those
 * before would have changed it by less than a ten-thousandth; and the average does not depend on
 * where a caller begins to read.
 */
export const ATR_LOOKBACK = 10 * ATR_LENGTH
/** An average bar has at least this many bins. */
const BINS_OF_BAR = 20

/**
 * Wilder's average true range over the last ATR_LOOKBACK bars: TR = max(high - low, |high - close
 * before|, |low - close before|), ATR = (13 ATR before + TR) / 14, started with the mean of the
 * first 14. Undefined with fewer than 14 ranges. (J. W. Wilder, New Concepts in Technical Trading
 * Systems, 1978.) The bars are in order of time.
 */
export function averageTrueRange(bars: readonly TrueRangeBar[]): number | undefined {
  const ranges: number[] = []
  for (const [i, bar] of bars.entries()) {
    const before = bars[i - 1]
    if (i < bars.length - ATR_LOOKBACK || before === undefined) continue
    ranges.push(trueRange(bar, before.close))
  }
  if (ranges.length < ATR_LENGTH) return undefined
  const seed = ranges.slice(0, ATR_LENGTH).reduce((sum, range) => sum + range, 0) / ATR_LENGTH
  return ranges
    .slice(ATR_LENGTH)
    .reduce((atr, range) => (atr * (ATR_LENGTH - 1) + range) / ATR_LENGTH, seed)
}

function trueRange({ high, low }: TrueRangeBar, close_before: number): number {
  return Math.max(
    difference(high, low),
    Math.abs(difference(high, close_before)),
    Math.abs(difference(low, close_before)),
  )
}

/**
 * Ticks of a bin: the largest of 1, 2, 5, 10, 20, 50 ... that gives an average bar at least
 * BINS_OF_BAR bins; 1 where `atr` is not known.
 */
export function autoBinTicks(atr: number | undefined, tick_size: number): number {
  const most = (atr ?? 0) / tick_size / BINS_OF_BAR
  let ticks = 1
  for (let decade = 1; decade <= most; decade *= 10) {
    for (const factor of [1, 2, 5]) if (factor * decade <= most) ticks = factor * decade
  }
  return ticks
}
