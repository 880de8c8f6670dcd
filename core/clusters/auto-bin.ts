/**
 * Bins that follow the market: as many ticks as the average true range of the bars before asks for,
 * so that a bar's bin never depends on its own future. The result is exact: doubles decide only
 * where their rounding cannot. Pure.
 */
import {
  absolute,
  compare,
  type Decimal,
  decimalOf,
  floorRatio,
  minus,
  nearest,
  plus,
  times,
} from '../decimals.ts'

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
/** The range of a volume profile has at least this many. */
const BINS_OF_PROFILE = 100
/** More than 400 roundings of positive doubles add up to, relative to their sum. */
const ROUNDING = 1e-12
/** Greater quotients are computed exactly: near them doubles are too far apart. */
const ROUGH_MAX = 1e9

/**
 * Ticks of a bin: the largest of 1, 2, 5, 10, 20, 50 ... that gives an average bar at least
 * BINS_OF_BAR bins; 1 with fewer than 15 bars. The bars are in order of time; the last ATR_LOOKBACK
 * of them count.
 *
 * The average is Wilder's: TR = max(high - low, |high - close before|, |low - close before|), ATR =
 * (13 ATR before + TR) / 14, started with the mean of the first 14. (J. W. Wilder, New Concepts in
 * Technical Trading Systems, 1978.)
 */
export function binOfBars(bars: readonly TrueRangeBar[], tick_size: number): number {
  const ranges = trueRanges(bars)
  if (ranges.length < ATR_LENGTH) return 1
  const rough = roughAverage(ranges.map(nearest)) / tick_size / BINS_OF_BAR
  const margin = Math.max(1, rough) * ROUNDING
  const is_clear = rough < ROUGH_MAX && Math.abs(rough - Math.round(rough)) > margin
  return niceUpTo(is_clear ? Math.floor(rough) : exactQuotient(ranges, tick_size))
}

/** Ticks of a bin: the largest of the same numbers that gives [low, high] BINS_OF_PROFILE bins. */
export function binOfSpan(low: number, high: number, tick_size: number): number {
  const span = minus(decimalOf(high), decimalOf(low))
  return niceUpTo(Number(floorRatio(span, times(decimalOf(tick_size), whole(BINS_OF_PROFILE)))))
}

function trueRanges(bars: readonly TrueRangeBar[]): readonly Decimal[] {
  const ranges: Decimal[] = []
  const exact = bars.slice(-ATR_LOOKBACK - 1).map(({ high, low, close }) => {
    return { high: decimalOf(high), low: decimalOf(low), close: decimalOf(close) }
  })
  for (const [i, { high, low }] of exact.entries()) {
    const before = exact[i - 1]?.close
    if (before === undefined) continue
    const candidates = [absolute(minus(high, before)), absolute(minus(low, before))]
    ranges.push(candidates.reduce((a, b) => (compare(b, a) > 0 ? b : a), minus(high, low)))
  }
  return ranges
}

function roughAverage(ranges: readonly number[]): number {
  const first = ranges.slice(0, ATR_LENGTH).reduce((sum, range) => sum + range, 0) / ATR_LENGTH
  return ranges
    .slice(ATR_LENGTH)
    .reduce((atr, range) => (atr * (ATR_LENGTH - 1) + range) / ATR_LENGTH, first)
}

/** floor(ATR / (BINS_OF_BAR tick_size)): the average is `top` / 14^n. */
function exactQuotient(ranges: readonly Decimal[], tick_size: number): number {
  let top = ranges.slice(0, ATR_LENGTH).reduce(plus)
  let power = 1n
  for (const range of ranges.slice(ATR_LENGTH)) {
    power *= BigInt(ATR_LENGTH)
    top = plus(times(top, whole(ATR_LENGTH - 1)), times(range, whole(power)))
  }
  const bottom = whole(power * BigInt(ATR_LENGTH * BINS_OF_BAR))
  return Number(floorRatio(top, times(decimalOf(tick_size), bottom)))
}

function whole(units: number | bigint): Decimal {
  return { units, digits: 0 }
}

function niceUpTo(most: number): number {
  let ticks = 1
  for (let decade = 1; decade <= most; decade *= 10) {
    for (const factor of [1, 2, 5]) if (factor * decade <= most) ticks = factor * decade
  }
  return ticks
}
