/** Features whose parameters come from the day before; null where it left none. */
import type { BookValues } from './book-columns.ts'
import type { Columns } from './columns.ts'
import { integratedOfi } from './fit/integrated-ofi.ts'
import type { Fit } from './fit/fit.ts'
import { microprice, type StoikovTable } from './fit/stoikov.ts'
import { vpin } from './fit/vpin.ts'
import type { QuoteResult } from './quote-columns.ts'
import type { TradeColumns } from './trade-columns.ts'

/** `rest` is undefined where only the micro-price is wanted. */
export function fittedColumns(
  quotes: QuoteResult,
  rest: { readonly trades: TradeColumns; readonly book: BookValues } | undefined,
  fit: Fit | undefined,
): Columns<string> {
  const { stoikov = null, ofi_weights = null, vpin: start = null } = fit ?? {}
  const nothing = (): Float64Array => new Float64Array(quotes.cut.length).fill(NaN)
  const microprice_stoikov = stoikov === null ? nothing() : microprices(quotes, stoikov)
  if (rest === undefined) return { microprice_stoikov }
  return {
    microprice_stoikov,
    mlofi_integrated: ofi_weights === null ? nothing() : integratedOfi(rest.book, ofi_weights),
    vpin: start === null ? nothing() : vpin(rest.trades, start),
  }
}

function microprices({ columns }: QuoteResult, table: StoikovTable): Float64Array {
  const { best_bid, bid_qty, best_ask, ask_qty } = columns
  return best_bid.map((bid, row) => {
    const quote = {
      best_bid: bid,
      bid_qty: bid_qty[row]!,
      best_ask: best_ask[row]!,
      ask_qty: ask_qty[row]!,
    }
    return microprice(table, quote) ?? NaN
  })
}
