/** What all of an exchange's symbols say about its day. */
import type { Exchange } from '#core/symbols.ts'
import { type Micros, micros } from '#core/time.ts'
import type { DaySymbol, FeatureChannel } from './events.ts'

/** What the whole exchange's day says about one of its symbols. */
export interface ExchangeDay {
  /** Start of the UTC day. */
  readonly from: Micros
  /** The exchange's last event in the day, of whatever symbol. */
  readonly last_ts: Micros
  /** Streams that any of its symbols has: another was not recorded. */
  readonly channels: readonly FeatureChannel[]
}

/** Of each exchange: its last event in the day, and its streams. */
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
