/**
 * Triple-barrier labels of a symbol's day from its mids at the end of each second: events of a
 * symmetric CUSUM filter, the barrier that the mid touched first, uniqueness, and folds. López de
 * Prado (2018), chapters 2.5, 3.4, 4.3 to 4.6 and 7.4. Nothing crosses a gap.
 *
 * Returns are the doubles nearest to the exact logarithms; what follows from them is computed in
 * doubles, in a fixed order of operations. Pure.
 */
import { DAY_US, SECOND_US } from '#core/time.ts'
import type { Grid } from '../day/grid.ts'
import { MidReturns, type SecondQuotes } from '../features/mid-returns.ts'
import { BARRIER_PARAMETERS as P } from './columns.ts'

/** Rows are those of the grid. */
interface Event {
  readonly row: number
  readonly end: number
  readonly side: -1 | 0 | 1
  readonly log_return: number
  readonly volatility: number
  readonly barrier: number
}

export interface BarrierLabel extends Omit<Event, 'row' | 'end'> {
  /** Starts of seconds, in microseconds. */
  readonly ts: number
  readonly t1: number
  readonly uniqueness: number
  readonly return_weight: number
  readonly fold: number
  readonly purged_by: number
}

/** `day_from`: midnight [us]. The grid has one row per second. */
export function barrierLabels(
  quotes: SecondQuotes,
  grid: Grid,
  day_from: number,
): readonly BarrierLabel[] {
  const mids = new MidReturns(quotes)
  const returns = new Float64Array(grid.row_count).fill(NaN)
  for (let row = 0; row < returns.length; row++) {
    if (mids.isKnown(row)) returns[row] = mids.between(row - 1, row).hi
  }
  const events = eventRows(returns).flatMap(({ row, volatility }) => {
    const found = touched(mids, returns, row, volatility)
    return found === undefined ? [] : [found]
  })
  const counts = concurrency(events, grid.row_count)
  return events.map(({ row, end, ...event }) => {
    const [ts, t1] = [grid.from + row * SECOND_US, grid.from + end * SECOND_US]
    let [unique, own] = [0, 0]
    for (let at = row + 1; at <= end; at++) {
      unique += 1 / counts[at]!
      own += returns[at]! / counts[at]!
    }
    const fold = Math.floor((P.fold_count * (ts - day_from)) / DAY_US)
    return {
      ts,
      t1,
      ...event,
      uniqueness: unique / (end - row),
      return_weight: Math.abs(own),
      fold,
      purged_by: purgedBy(ts - day_from, t1 - day_from, fold),
    }
  })
}

/** Rows at which the sum of returns since the last event of its direction is large. */
function eventRows(
  returns: Float64Array,
): readonly { readonly row: number; readonly volatility: number }[] {
  const alpha = 2 / (P.volatility_span_s + 1)
  const threshold = Math.sqrt(P.cusum_s)
  const events = []
  let [squares, weights, count, up, down] = [0, 0, 0, 0, 0]
  for (let row = 0; row < returns.length; row++) {
    const r = returns[row]!
    if (Number.isNaN(r)) {
      ;[squares, weights, count, up, down] = [0, 0, 0, 0, 0]
      continue
    }
    squares = (1 - alpha) * squares + r * r
    weights = (1 - alpha) * weights + 1
    count += 1
    up = Math.max(0, up + r)
    down = Math.min(0, down + r)
    const volatility = Math.sqrt(squares / weights)
    if (count < P.volatility_returns_min || volatility === 0) continue
    const is_up = up >= threshold * volatility
    const is_down = down <= -threshold * volatility
    if (is_up) up = 0
    if (is_down) down = 0
    if (is_up || is_down) events.push({ row, volatility })
  }
  return events
}

/** Undefined if a gap, an unknown mid or the end of the day comes first. */
function touched(
  mids: MidReturns,
  returns: Float64Array,
  row: number,
  volatility: number,
): Event | undefined {
  const barrier = P.barrier_width * volatility * Math.sqrt(P.horizon_s)
  const last = row + P.horizon_s
  let about = 0
  for (let end = row + 1; end <= last; end++) {
    const r = returns[end]
    if (r === undefined || Number.isNaN(r)) return undefined
    about += r
    // The sum of returns errs in its last digits only, so it says when to look closely.
    if (end < last && Math.abs(about) < barrier * (1 - 1e-6)) continue
    const log_return = mids.between(row, end).hi
    const side = log_return >= barrier ? 1 : log_return <= -barrier ? -1 : 0
    if (side === 0 && end < last) continue
    return { row, end, side, log_return, volatility, barrier }
  }
  return undefined
}

/** For each row, the number of labels that depend on its return. */
function concurrency(events: readonly Event[], row_count: number): Int32Array {
  const counts = new Int32Array(row_count)
  for (const { row, end } of events) for (let at = row + 1; at <= end; at++) counts[at]! += 1
  return counts
}

/** Times since midnight [us]. */
function purgedBy(ts: number, t1: number, own: number): number {
  const length = DAY_US / P.fold_count
  const after = (P.horizon_s + P.embargo_s) * SECOND_US
  let bits = 0
  for (let fold = 0; fold < P.fold_count; fold++) {
    const [start, end] = [fold * length, (fold + 1) * length]
    if (fold !== own && t1 >= start && ts < end + after) bits += 2 ** fold
  }
  return bits
}
