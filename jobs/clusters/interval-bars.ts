/**
 * Bars of an interval without their cells, from minutes: times, prices, bins, running delta. Pure.
 */
import { ATR_LOOKBACK, binOfBars } from '#core/clusters/auto-bin.ts'
import { type Decimal, decimalOf, minus, plus, ZERO } from '#core/decimals.ts'
import { DAY_US, type Micros, micros } from '#core/time.ts'
import type { MinuteSummary } from './base-rows.ts'

export interface IntervalBar {
  readonly ts: Micros
  readonly high: number
  readonly low: number
  readonly close: number
  /** Minutes in which something was traded. */
  readonly minute_count: number
  /**
   * Bought minus sold quantity from the start of the UTC day, or from the first minute if that is
   * later, to the end of the bar.
   */
  readonly cum_delta: Decimal
}

/** `minutes` are in order. */
export function intervalBars(
  minutes: readonly MinuteSummary[],
  interval_us: number,
): readonly IntervalBar[] {
  const bars: { -readonly [key in keyof IntervalBar]: IntervalBar[key] }[] = []
  let day = -1
  let cum_delta = ZERO
  for (const { ts, high, low, close, buy_volume, sell_volume } of minutes) {
    if (high === null || low === null || close === null) continue
    const day_of_minute = Math.floor(ts / DAY_US)
    if (day_of_minute !== day) cum_delta = ZERO
    day = day_of_minute
    cum_delta = minus(plus(cum_delta, decimalOf(buy_volume)), decimalOf(sell_volume))
    const start = micros(ts - (ts % interval_us))
    const last = bars.at(-1)
    if (last?.ts !== start) {
      bars.push({ ts: start, high, low, close, minute_count: 1, cum_delta })
      continue
    }
    last.high = Math.max(last.high, high)
    last.low = Math.min(last.low, low)
    last.close = close
    last.minute_count++
    last.cum_delta = cum_delta
  }
  return bars
}

/** How far before a bar the average looks: intervals without trades count. */
export function lookbackUs(interval_us: number): number {
  return ATR_LOOKBACK * interval_us
}

/** Ticks of the bins of the bar at `index`, from the bars before it. */
export function binOfBar(
  bars: readonly IntervalBar[],
  index: number,
  interval_us: number,
  tick_size: number,
): number {
  const from = bars[index]!.ts - lookbackUs(interval_us)
  let first = index
  while (first > 0 && bars[first - 1]!.ts >= from) first--
  return binOfBars(bars.slice(first, index), tick_size)
}
