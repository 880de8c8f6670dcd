/** What a dataset of depth covers of a symbol's day. */
import { SECOND_US } from '#core/time.ts'
import type { SymbolSummary } from '../../day/coverage.ts'
import { type DaySymbol, gapsOf } from '../../day/events.ts'
import type { ExchangeDay } from '../../day/exchange-day.ts'
import { blindRows } from '../../day/gaps.ts'
import { gridOf } from '../../day/grid.ts'

export function depthSummary(
  symbol: DaySymbol,
  exchange_day: ExchangeDay,
  event_count: number,
): SymbolSummary {
  const grid = gridOf(symbol.first_ts, exchange_day.last_ts, SECOND_US)
  const gaps = gapsOf(symbol, 'depth_events')
  const blind = blindRows(gaps, grid)
  const present_s = symbol.channels.includes('depth_events')
    ? blind.filter((is_blind) => is_blind === 0).length
    : 0
  const of_day = gaps.filter((gap) => gap.to_ts >= exchange_day.from)
  return {
    exchange: symbol.exchange,
    symbol: symbol.symbol,
    grid,
    coverage: [{ channel: 'depth_events', event_count, present_s, gaps: of_day }],
  }
}
