/** What a day takes over from the day before: the quote and the mark price valid at midnight. */
import type { Micros } from '#core/time.ts'
import {
  type CarriedMark,
  type CarriedQuote,
  type DayReader,
  type DaySymbol,
  gapsOf,
} from './events.ts'
import { type Cut, cutsOf, isBehind } from './gaps.ts'

/**
 * The quote that was valid at midnight, unless a gap since then makes it a guess. A symbol
 * without a quote in the day is not recorded any more: nothing is carried in for it.
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

/** The mark price that was valid at midnight, under the same conditions. */
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

/** Whether a cut lies between this event of the day before and midnight. */
function isCutSince(cuts: readonly Cut[], from: Micros, ts: number, id: number): boolean {
  return cuts.some((cut) => cut.ts < from && !isBehind(cut, ts, id))
}
