/** Features whose parameters come from the day before; null where it left none. */
import type { Columns } from './columns.ts'
import type { Fit } from './fit/fit.ts'
import { microprice, type StoikovTable } from './fit/stoikov.ts'
import { vpin } from './fit/vpin.ts'
import type { QuoteResult } from './quote-columns.ts'
import type { TradeResult } from './trade-columns.ts'

/** `trades` is undefined where only the micro-price is wanted. */
export function fittedColumns(
  quotes: QuoteResult,
  trades: TradeResult | undefined,
  fit: Fit | undefined,
): Columns<string> {
  const { stoikov = null, vpin: start = null } = fit ?? {}
  const nothing = (): Float64Array => new Float64Array(quotes.cut.length).fill(NaN)
  const microprice_stoikov = stoikov === null ? nothing() : microprices(quotes, stoikov)
  if (trades === undefined) return { microprice_stoikov }
  return { microprice_stoikov, vpin: start === null ? nothing() : vpin(trades, start) }
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
