/** Signals as marks at their bars. */
import type { SeriesMarker, Time, UTCTimestamp } from 'lightweight-charts'
import { SECOND_US } from '#core/time.ts'
import type { Signal } from '../data/signals.ts'
import type { Palette } from './palette.ts'

/** One or two letters that fit beside a bar. */
const LETTERS: Readonly<Record<string, string>> = {
  stacked_imbalance: 'SI',
  absorption: 'A',
  exhaustion: 'E',
  delta_divergence: 'D',
  unfinished_auction: 'U',
  large_trade: 'L',
  wall_appeared: 'W+',
  wall_pulled: 'W-',
}

/** One mark for all signals of a bar that speak for the same side. */
export function markersOf(
  signals: readonly Signal[],
  interval_us: number,
  { up, down, muted }: Palette,
): SeriesMarker<Time>[] {
  const marks = new Map<string, { ts: number; side: Signal['side']; letters: Set<string> }>()
  for (const { ts, bar_ts, side, kind } of signals) {
    const at = bar_ts ?? ts
    const bar = at - (at % interval_us)
    const key = `${bar} ${side}`
    const mark = marks.get(key) ?? { ts: bar, side, letters: new Set() }
    mark.letters.add(LETTERS[kind] ?? '?')
    marks.set(key, mark)
  }
  return [...marks.values()]
    .toSorted((a, b) => a.ts - b.ts)
    .map(({ ts, side, letters }) => ({
      time: (ts / SECOND_US) as UTCTimestamp,
      position: side === 'sell' ? 'aboveBar' : 'belowBar',
      shape: side === 'sell' ? 'arrowDown' : side === 'buy' ? 'arrowUp' : 'circle',
      color: side === 'sell' ? down : side === 'buy' ? up : muted,
      text: [...letters].join(' '),
      size: 0.7,
    }))
}
