/**
 * The quote before each trade of a page: the newest one with a smaller ts_exchange, at most
 * AGE_MAX_US older. A quote of the trade's own time may be what the trade caused, so it never
 * counts. Hot and cold data give the same answer: see read-range.ts for the order of the queries.
 */
import { HOUR_US, hourStart, micros, type Micros } from '#core/time.ts'
import { createBudget, LAKE_LIMITS, LakeBudgetError } from '../lake/budget.ts'
import type { LakeBudget } from '../lake/budget.ts'
import type { SymbolHourArgs } from '../lake/symbol-hour.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import type { QuoteBeforeRow, QuotesBeforeArgs } from '../queries/quotes-before.ts'
import { joined_columns } from '../tables/quote-before.ts'
import type { Row } from '../tables/table.ts'
import { quotes } from '../tables/tables.ts'
import { isAway } from './instruments.ts'
import { newerRow } from './merge.ts'
import { databaseAway, type RangeSources } from './read-range.ts'

export interface QuotesBeforeSources extends Pick<
  RangeSources,
  'now' | 'newestRow' | 'archivedHours' | 'archivedHoursOfStore'
> {
  hotQuotesBefore(args: QuotesBeforeArgs): Promise<readonly QuoteBeforeRow[]>
  rowsBefore(
    hour: ArchivedHourRow,
    args: Omit<SymbolHourArgs, 'after' | 'limit'> & { readonly times: readonly Micros[] },
    budget: LakeBudget,
  ): Promise<ReadonlyMap<number, Row>>
}

export interface QuotesBeforeWanted {
  /** Null if the database did not respond. */
  readonly symbol_id: number | null
  readonly exchange: string
  readonly symbol: string
  /** In order, each once; at least one, within SPAN_MAX_US. */
  readonly times: readonly Micros[]
}

export interface QuotesBeforePage {
  readonly quotes: ReadonlyMap<number, Row>
  /** The quotes of times up to this one are complete; the archive's limits allow no more. */
  readonly known_to: Micros
}

export type QuotesBefore = (wanted: QuotesBeforeWanted) => Promise<QuotesBeforePage>

/** An older quote is not joined. */
export const AGE_MAX_US = HOUR_US
/** Of the trades of a page, so that a statement locks few partitions and a page opens few files. */
export const SPAN_MAX_US = 8 * HOUR_US
const DAYS_MAX = 3
const HOURS_MAX = SPAN_MAX_US / HOUR_US + 3

export function createQuotesBefore(sources: QuotesBeforeSources): QuotesBefore {
  return async (wanted) => {
    const first = wanted.times[0]!
    const last = wanted.times.at(-1)!
    const from = micros(Math.max(0, first - AGE_MAX_US))
    const hot = await readHot(sources, wanted, from, last)
    // Only finished hours are archived.
    if (hot.away === undefined && from >= hourStart(sources.now())) {
      return { quotes: hot.quotes, known_to: last }
    }
    const cold = await readCold(sources, wanted, from, hot.away)
    const joined = new Map(hot.quotes)
    for (const [time, row] of cold.quotes) {
      joined.set(time, newerRow(quotes, joined.get(time), row))
    }
    return { quotes: joined, known_to: cold.known_to }
  }
}

interface Hot {
  readonly quotes: ReadonlyMap<number, Row>
  readonly away: unknown
}

async function readHot(
  sources: QuotesBeforeSources,
  { symbol_id, times }: QuotesBeforeWanted,
  from: Micros,
  to: Micros,
): Promise<Hot> {
  if (symbol_id === null) return { quotes: new Map(), away: databaseAway() }
  try {
    const args = { symbol_id, times, from, to, max_age_us: AGE_MAX_US }
    const rows = await sources.hotQuotesBefore(args)
    return { quotes: new Map(rows.map((row) => [row.at, row])), away: undefined }
  } catch (error) {
    if (!isAway(error)) throw error
    return { quotes: new Map(), away: error }
  }
}

/** `away`: the reason why the files must have all that the database would have. */
async function readCold(
  sources: QuotesBeforeSources,
  { exchange, symbol, times }: QuotesBeforeWanted,
  from: Micros,
  away: unknown,
): Promise<QuotesBeforePage> {
  const first = times[0]!
  const last = times.at(-1)!
  const budget = createBudget(LAKE_LIMITS)
  // A quote of `first` itself counts for a later time.
  const args = { exchange, table_name: 'book_ticker', from, to: micros(last + 1) } as const
  const hours =
    away === undefined
      ? await sources.archivedHours({ ...args, limit: HOURS_MAX })
      : await sources.archivedHoursOfStore({ ...args, day_count_max: DAYS_MAX })
  const dropped = hours.filter(({ is_dropped }) => is_dropped)
  const isCovered = (start: Micros, end: Micros): boolean => {
    for (let hour = hourStart(start); hour < end; hour = micros(hour + HOUR_US)) {
      if (!dropped.some((one) => one.hour === hour)) return false
    }
    return true
  }
  const of_symbol = { table: quotes, columns: joined_columns, symbol }

  let base: Row | undefined
  for (const hour of dropped.toReversed()) {
    if (hour.hour >= first) continue
    base = await sources.newestRow(hour, { ...of_symbol, from, to: first }, undefined, budget)
    if (base !== undefined) break
  }
  const needed_from = base === undefined ? from : (base['ts_exchange'] as Micros)
  if (away !== undefined && !isCovered(needed_from, last)) throw away

  const found = new Map<number, Row>()
  let known_to = last
  for (const hour of dropped) {
    if (hour.hour + HOUR_US <= first || hour.hour >= last) continue
    try {
      const range = { ...of_symbol, from: first, to: last, times }
      for (const [time, row] of await sources.rowsBefore(hour, range, budget)) found.set(time, row)
    } catch (error) {
      if (!(error instanceof LakeBudgetError)) throw error
      known_to = micros(Math.max(first, hour.hour))
      break
    }
  }
  const quotes_of = new Map<number, Row>()
  for (const time of times) {
    const row = found.get(time) ?? base
    if (row !== undefined && (row['ts_exchange'] as number) >= time - AGE_MAX_US) {
      quotes_of.set(time, row)
    }
  }
  return { quotes: quotes_of, known_to }
}
