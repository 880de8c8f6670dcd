/** The time axis: what each interval has. */
import { decimalOf, minus, nearest, plus, ZERO } from '#core/decimals.ts'
import { DAY_US } from '#core/time.ts'
import type { Candle } from './candles.ts'
import type { Footprint } from './clusters.ts'

/** [from, to) in us. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** One place of the time axis. */
export interface Slot {
  readonly ts: number
  /** Undefined: nothing was traded, or the block is not here yet. */
  readonly candle: Candle | undefined
  readonly footprint: Footprint | undefined
  readonly delta: number
  /** Since the start of the UTC day. */
  readonly delta_sum: number
}

/** `candles`: from the start of the day on, because the sum of deltas starts there. */
export function slotsOf(
  { from, to }: Range,
  interval_us: number,
  candles: (range: Range) => Iterable<Candle>,
  footprints: (range: Range) => Iterable<Footprint>,
): readonly Slot[] {
  const day = from - (from % DAY_US)
  const candle_at = byTime(candles({ from: day, to }))
  const footprint_at = byTime(footprints({ from, to }))
  const slots: Slot[] = []
  let sum = ZERO
  for (let ts = day; ts < to; ts += interval_us) {
    if (ts % DAY_US === 0) sum = ZERO
    const candle = candle_at.get(ts)
    let delta = 0
    if (candle !== undefined) {
      const exact = minus(decimalOf(candle.buy_volume), decimalOf(candle.sell_volume))
      delta = nearest(exact)
      sum = plus(sum, exact)
    }
    if (ts < from) continue
    slots.push({ ts, candle, footprint: footprint_at.get(ts), delta, delta_sum: nearest(sum) })
  }
  return slots
}

function byTime<T extends { readonly ts: number }>(rows: Iterable<T>): ReadonlyMap<number, T> {
  const at = new Map<number, T>()
  for (const row of rows) at.set(row.ts, row)
  return at
}
