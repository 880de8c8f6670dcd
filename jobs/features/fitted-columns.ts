/** Features with parameters fitted on the day before; null if that day has no fit. */
import type { Columns } from '../day/grid-columns.ts'
import type { GridHour } from '../day/grid.ts'
import type { Fit } from './fit/fit.ts'
import { microprice, type StoikovTable } from './fit/stoikov.ts'
import { type SavedBuckets, Vpin } from './fit/vpin.ts'
import type { QuoteResult } from './quote-columns.ts'
import type { SideVolumes } from './trade-columns.ts'

export interface FittedInputs {
  readonly quotes: Pick<QuoteResult, 'columns'>
  /** Undefined if only the micro-price is requested. */
  readonly trades: SideVolumes | undefined
  readonly hours: readonly GridHour[]
  readonly fit: Fit | undefined
  /** VPIN's buckets after the hours before; undefined at the start of the day. */
  readonly buckets: SavedBuckets | undefined
}

export interface FittedColumns {
  readonly columns: Columns<string>
  /** VPIN's buckets at the end of each hour; empty if VPIN has no fit. */
  readonly buckets: ReadonlyMap<number, SavedBuckets>
}

export function fittedColumns(inputs: FittedInputs): FittedColumns {
  const { quotes, trades, hours, fit } = inputs
  const { stoikov = null, vpin: start = null } = fit ?? {}
  const nothing = (): Float64Array => new Float64Array(quotes.columns.best_bid.length).fill(NaN)
  const microprice_stoikov = stoikov === null ? nothing() : microprices(quotes, stoikov)
  const buckets = new Map<number, SavedBuckets>()
  if (trades === undefined) return { columns: { microprice_stoikov }, buckets }
  const values = nothing()
  if (start !== null) {
    const vpin = new Vpin(inputs.buckets ?? start)
    for (const { to, first, end } of hours) {
      values.set(vpin.over(trades, first, end), first)
      buckets.set(to, vpin.save())
    }
  }
  return { columns: { microprice_stoikov, vpin: values }, buckets }
}

function microprices({ columns }: Pick<QuoteResult, 'columns'>, table: StoikovTable): Float64Array {
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
