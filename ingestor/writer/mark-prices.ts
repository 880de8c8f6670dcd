/**
 * Whole mark prices from changes of them: what an exchange leaves out is as it was. The newest one
 * is kept in the stream; after a restart it is read back from its row (resume.ts), so a tape that
 * is read in two parts gives the rows of one that is read at once.
 */
import type { MarkPrice, MarkPriceChange } from '#core/market.ts'
import type { Stream } from './stream-table.ts'

type Remembered = Pick<Stream, 'mark_price'>

/** An older one, of a socket that lags behind another, is a row but changes nothing. */
export function noteMarkPrice(stream: Remembered, event: MarkPrice): void {
  const { mark_price: newest } = stream
  if (newest === undefined || event.ts_exchange >= newest.ts_exchange) stream.mark_price = event
}

/** Undefined where nothing is known that could have changed. */
export function wholeMarkPrice(
  { mark_price: before }: Remembered,
  { changed, exchange, symbol, ts_exchange, ts_ingest }: MarkPriceChange,
): MarkPrice | undefined {
  if (before === undefined) return undefined
  return { ...before, ...changed, exchange, symbol, ts_exchange, ts_ingest }
}
