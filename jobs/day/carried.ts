/** State at midnight from the day before: the current quote and mark price. */
import type { Micros } from '#core/time.ts'
import {
  type CarriedMark,
  type CarriedQuote,
  type DayReader,
  type DaySymbol,
  gapsOf,
} from './events.ts'
import { type Cut, cutsOf, isAfterCut } from './gaps.ts'

/**
 * The quote that was current at midnight. Undefined if a gap between it and midnight makes it
 * uncertain, or if the symbol has no quotes in this day, which means it is no longer recorded.
 */
export async function carriedQuote(
  reader: DayReader,
  symbol: DaySymbol,
  from: Micros,
): Promise<CarriedQuote | undefined> {
  if (!symbol.channels.includes('book_ticker')) return undefined
  const quote = await reader.quoteBefore(symbol)
  if (quote === undefined) return undefined
  const cuts = cutsOf(gapsOf(symbol, 'book_ticker'))
  return isCutSince(cuts, from, quote.ts_exchange, quote.update_id) ? undefined : quote
}

/** The mark price that was current at midnight, under the same conditions. */
export async function carriedMark(
  reader: DayReader,
  symbol: DaySymbol,
  from: Micros,
): Promise<CarriedMark | undefined> {
  if (!symbol.channels.includes('mark_price')) return undefined
  const mark = await reader.markBefore(symbol)
  if (mark === undefined) return undefined
  const cuts = cutsOf(gapsOf(symbol, 'mark_price'))
  return isCutSince(cuts, from, mark.ts_exchange, 0) ? undefined : mark
}

/** Whether a cut is between this event of the day before and midnight. */
function isCutSince(cuts: readonly Cut[], from: Micros, ts: number, id: number): boolean {
  return cuts.some((cut) => cut.ts < from && !isAfterCut(cut, ts, id))
}
