/** Signals as marks at their bars. */
import type { SeriesMarker, Time, UTCTimestamp } from 'lightweight-charts'
import type { SignalKind } from '#core/signals/signal.ts'
import { SECOND_US } from '#core/time.ts'
import type { Candle } from '../data/candles.ts'
import type { Signal } from '../data/signals.ts'
import type { Palette } from './palette.ts'

/** One or two letters that fit beside a bar. */
export const LETTERS: Readonly<Record<SignalKind, string>> = {
  stacked_imbalance: 'SI',
  absorption: 'A',
  exhaustion: 'E',
  delta_divergence: 'D',
  unfinished_auction: 'U',
  large_trade: 'L',
  wall_appeared: 'W+',
  wall_pulled: 'W-',
}

/**
 * One mark for all signals of a bar that speak for the same side, above or below the bar; none
 * where nothing was traded. `has_text`: bars are wide enough for the letters.
 */
export function markersOf(
  signals: readonly Signal[],
  candleAt: (ts: number) => Candle | undefined,
  interval_us: number,
  { up, down }: Palette,
  has_text: boolean,
): SeriesMarker<Time>[] {
  const marks = new Map<string, { ts: number; side: Signal['side']; letters: Set<string> }>()
  for (const { ts, bar_ts, side, kind } of signals) {
    const at = bar_ts ?? ts
    const bar = at - (at % interval_us)
    const key = `${bar} ${side}`
    const mark = marks.get(key) ?? { ts: bar, side, letters: new Set() }
    mark.letters.add(LETTERS[kind])
    marks.set(key, mark)
  }
  const in_order = [...marks.values()].toSorted((a, b) => a.ts - b.ts)
  return in_order.flatMap(({ ts, side, letters }): SeriesMarker<Time>[] => {
    const candle = candleAt(ts)
    if (candle === undefined) return []
    const is_above = side === 'sell'
    const mark = {
      time: (ts / SECOND_US) as UTCTimestamp,
      position: is_above ? ('atPriceTop' as const) : ('atPriceBottom' as const),
      price: is_above ? candle.high : candle.low,
      shape: is_above ? ('arrowDown' as const) : ('arrowUp' as const),
      color: is_above ? down : up,
      size: 0.6,
    }
    return [has_text ? { ...mark, text: [...letters].join(' ') } : mark]
  })
}
