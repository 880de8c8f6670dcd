/**
 * A page of trades with the quote before each. It ends early if the trades span too much time, or
 * if the archive's limits are reached.
 */
import { micros, type Micros } from '#core/time.ts'
import { cursorOf, type Row } from '../tables/table.ts'
import { quoteBeforeFields } from '../tables/quote-before.ts'
import { SPAN_MAX_US, type QuotesBefore } from './quotes-before.ts'
import type { RangePage, RangeWanted, ReadRange } from './read-range.ts'

export function createTradesWithQuotes(
  readRange: ReadRange,
  quotesBefore: QuotesBefore,
): ReadRange {
  return async (wanted) => {
    const page = await readRange(wanted)
    const begin = page.rows[0]
    if (begin === undefined) return page
    const trades = rowsTo(page.rows, micros(timeOf(begin) + SPAN_MAX_US))
    const times = [...new Set(trades.map(timeOf))]
    const { quotes, known_to } = await quotesBefore({ ...wanted, times })
    const rows = rowsTo(trades, known_to).map((trade) => ({
      ...trade,
      ...quoteBeforeFields(quotes.get(timeOf(trade))),
    }))
    return endingAt(page, rows, wanted)
  }
}

function endingAt(page: RangePage, rows: readonly Row[], { table }: RangeWanted): RangePage {
  if (rows.length === page.rows.length) return { ...page, rows }
  return { ...page, rows, next: cursorOf(table, rows.at(-1)!) }
}

function timeOf(row: Row): Micros {
  return row['ts_exchange'] as Micros
}

function rowsTo(rows: readonly Row[], last: Micros): readonly Row[] {
  return timeOf(rows.at(-1)!) <= last ? rows : rows.filter((row) => timeOf(row) <= last)
}
