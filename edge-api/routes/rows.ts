/** Rows of the database as the JSON that callers get. */
import { toIso } from '#core/time.ts'
import { encodeCursor, type Cursor } from '../cursor.ts'
import { decimalText, decimalsIn, roundedText } from '../decimal-text.ts'
import type { Instrument } from '../instruments.ts'
import type { QuoteRow } from '../queries/quotes.ts'
import type { TradeRow } from '../queries/trades.ts'

export function quoteJson(row: QuoteRow, { price_decimals, qty_decimals }: Instrument) {
  const best_bid = decimalText(row.best_bid, price_decimals)
  const best_ask = decimalText(row.best_ask, price_decimals)
  // Differences and means of doubles carry noise behind the prices' own decimals.
  const decimals = Math.max(decimalsIn(best_bid), decimalsIn(best_ask))
  return {
    ts_exchange: toIso(row.ts_exchange),
    ts_ingest: toIso(row.ts_ingest),
    update_id: row.update_id,
    best_bid,
    best_ask,
    bid_qty: decimalText(row.bid_qty, qty_decimals),
    ask_qty: decimalText(row.ask_qty, qty_decimals),
    spread: roundedText(row.spread, decimals),
    mid: roundedText(row.mid, decimals + 1),
  }
}

export function tradeJson(row: TradeRow, { price_decimals, qty_decimals }: Instrument) {
  return {
    ts_exchange: toIso(row.ts_exchange),
    ts_ingest: toIso(row.ts_ingest),
    agg_trade_id: row.agg_trade_id,
    price: decimalText(row.price, price_decimals),
    qty: decimalText(row.qty, qty_decimals),
    non_rpi_qty: row.non_rpi_qty === null ? null : decimalText(row.non_rpi_qty, qty_decimals),
    first_trade_id: row.first_trade_id,
    last_trade_id: row.last_trade_id,
    is_buyer_maker: row.is_buyer_maker,
  }
}

/** Splits `limit + 1` rows into a page and the cursor of the next one, where there is one. */
export function splitPage<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => Cursor,
): { readonly rows: readonly Row[]; readonly next: Cursor | null } {
  if (rows.length <= limit) return { rows, next: null }
  const kept = rows.slice(0, limit)
  return { rows: kept, next: cursorOf(kept.at(-1)!) }
}

/** The path that goes on behind a page; the range is fixed, so that "now" does not move. */
export function nextPath(
  path: string,
  next: Cursor | null,
  parameters: Readonly<Record<string, string | number | boolean | undefined>>,
): string | null {
  if (next === null) return null
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...parameters, cursor: encodeCursor(next) })) {
    if (value !== undefined) search.set(name, String(value))
  }
  return `${path}?${search}`
}
