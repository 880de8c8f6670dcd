/** Columns of the quote before a trade: a quote's, with a prefix. All are null without one. */
import type { Cell, RangeColumn, Row } from './table.ts'
import { quotes } from './tables.ts'

const PREFIX = 'quote_'
const NAMES = ['ts_exchange', 'update_id', 'best_bid', 'best_ask', 'bid_qty', 'ask_qty'] as const

/** Stored columns of the quotes table that are joined. */
export const joined_columns: readonly RangeColumn[] = NAMES.map((name) =>
  quotes.columns.find((column) => column.name === name)!,
)

export const quote_before_columns: readonly RangeColumn[] = joined_columns.map((column) => ({
  ...column,
  name: PREFIX + column.name,
  nullable: true,
  description: `${column.description}, of the quote before the trade`,
}))

export function quoteBeforeFields(quote: Row | undefined): Readonly<Record<string, Cell>> {
  return Object.fromEntries(NAMES.map((name) => [PREFIX + name, quote?.[name] ?? null]))
}
