/** Facts about an exchange's day that only all of its symbols together show. */
import type { Exchange } from '#core/symbols.ts'
import { type Micros, micros } from '#core/time.ts'
import type { DaySymbol, FeatureChannel } from './events.ts'

/** One exchange's day over all of its symbols. */
export interface ExchangeDay {
  /** Start of the UTC day. */
  readonly from: Micros
  /** Last event of any of its symbols in the day. */
  readonly last_ts: Micros
  /** Streams that any of its symbols has. The others were not recorded. */
  readonly channels: readonly FeatureChannel[]
}

/** Finds each exchange's last event in the day, and its streams. */
export function exchangeDays(
  symbols: readonly DaySymbol[],
  from: Micros,
): ReadonlyMap<Exchange, ExchangeDay> {
  const days = new Map<Exchange, ExchangeDay>()
  for (const { exchange, last_ts, channels } of symbols) {
    const day = days.get(exchange)
    days.set(exchange, {
      from,
      last_ts: micros(Math.max(last_ts, day?.last_ts ?? 0)),
      channels: [...new Set([...(day?.channels ?? []), ...channels])],
    })
  }
  return days
}
