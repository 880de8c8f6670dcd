/** Bars with their cells, from stored minutes and from the newest ones. */
import { barOfBase, type BaseMinute } from '#core/clusters/base.ts'
import { type Bar, binBar, joinBars } from '#core/clusters/bar.ts'
import { MINUTE_US } from '#core/clusters/intervals.ts'
import type { Decimal } from '#core/decimals.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Micros, micros } from '#core/time.ts'
import { selectBase } from './base-rows.ts'
import { isChanging } from './sync.ts'

export interface FoldedSpan {
  readonly symbol_id: number
  readonly from: Micros
  readonly to: Micros
  readonly step: Decimal
  /** Minutes before it are stored; those after it are in `tail`. */
  readonly final_to: Micros
  readonly tail: readonly BaseMinute[]
  /** Minutes of the span with trades; other numbers mean that late trades came in between. */
  readonly minute_count: number
}

/** Minutes that are in memory at once: an active symbol has 10 KB in each. */
const MINUTES_AT_ONCE = 240

/** One bar of the span, in bins of `step`. At least one minute has trades. */
export async function foldSpan(pool: Pool, span: FoldedSpan): Promise<Bar> {
  const { symbol_id, from, to, step, final_to, tail, minute_count } = span
  let bar: Bar | undefined
  let found_count = 0
  const add = (minutes: readonly BaseMinute[]): void => {
    const bars = minutes.flatMap((minute) => barOfBase(minute) ?? [])
    found_count += bars.length
    if (bars.length === 0) return
    const binned = bars.map((one) => binBar(one, step))
    bar = joinBars(from, bar === undefined ? binned : [bar, ...binned])
  }
  const stored_to = Math.min(to, final_to)
  for (let at = from; at < stored_to; at = micros(at + MINUTES_AT_ONCE * MINUTE_US)) {
    const end = micros(Math.min(at + MINUTES_AT_ONCE * MINUTE_US, stored_to))
    add(await selectBase(pool, symbol_id, at, end))
  }
  add(tail.filter(({ ts }) => ts >= from && ts < to))
  if (bar === undefined || found_count !== minute_count) throw isChanging()
  return bar
}
