/**
 * The newest quote of each instrument at a time, from the database, the archive, or both.
 *
 * 1. A quote of that time counts; one after it never does. Among quotes of the same time the one
 *    with the largest update id is the newest.
 * 2. As in read-range.ts, the database is queried for the quotes first and for the dropped hours
 *    second, so a quote whose hour is dropped in between is not missed.
 * 3. A page ends early if the archive's limits are reached; the next one continues.
 * 4. While the database does not respond, only what the files prove is said: an instrument whose
 *    newest quote may be in an hour without a file is unavailable.
 */
import { decimalsOf } from '#core/symbols.ts'
import { timeSourcesOf } from '#core/time-source.ts'
import type { Decimals } from '#core/decimal-text.ts'
import { HOUR_US, hourStart, micros, toIso, type Micros } from '#core/time.ts'
import { createBudget, LakeBudgetError, SNAPSHOT_LIMITS, type LakeBudget } from '../lake/budget.ts'
import type { ListInstruments } from '../lake/instrument-list.ts'
import { Problem } from '../problem.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import type { InstrumentName, QuoteAtRow, QuotesAtArgs } from '../queries/quotes-at.ts'
import { storedColumns, type Row } from '../tables/table.ts'
import { quotes } from '../tables/tables.ts'
import { isAway } from './instruments.ts'
import { newerRow } from './merge.ts'
import type { RangeSources } from './read-range.ts'

export interface QuotesAtSources extends Pick<
  RangeSources,
  'now' | 'newestRow' | 'archivedHours' | 'archivedHoursOfStore'
> {
  hotQuotes(args: QuotesAtArgs): Promise<readonly QuoteAtRow[]>
  readonly listInstruments: ListInstruments
}

export interface QuoteAt extends Decimals, InstrumentName {
  /** Undefined: no quote was recorded in the time, or it is unavailable. */
  readonly quote: Row | undefined
  /** The quote may be in the database, which does not respond. */
  readonly is_unavailable?: true
}

export interface QuotesAtPage {
  readonly found: readonly QuoteAt[]
  /** The last instrument of the page; null if no more follow. */
  readonly next: InstrumentName | null
  readonly source: 'hot' | 'cold' | 'both'
}

export type QuotesAt = (wanted: QuotesAtArgs) => Promise<QuotesAtPage>

/** Instruments whose quotes are read from files at the same time. */
const READS_AT_ONCE = 4
/** A day and an hour: max_age_s is at most a day. */
const HOURS_MAX = 26
const DAYS_MAX = 3

export function createQuotesAt(sources: QuotesAtSources): QuotesAt {
  return async (wanted) => {
    const { limit } = wanted
    const asked = { ...wanted, limit: limit + 1 }
    const hot = await readHot(sources, asked)
    const listed = hot.quotes.slice(0, limit)
    const readCold = createColdReader(sources, wanted, hot.away)
    const found: QuoteAt[] = []
    let read_count = 0
    for (let at = 0; at < listed.length; at += READS_AT_ONCE) {
      const batch = listed.slice(at, at + READS_AT_ONCE)
      const cold = await Promise.all(batch.map(readCold))
      for (const [i, one] of batch.entries()) {
        const row = cold[i]
        if (row instanceof LakeBudgetError) return endEarly(found, wanted, row)
        if (row === UNAVAILABLE) {
          found.push({ ...one, is_unavailable: true })
          continue
        }
        if (row !== undefined) read_count += 1
        found.push(row === undefined ? one : { ...one, quote: newerRow(quotes, one.quote, row) })
      }
    }
    const next = hot.quotes.length > limit ? nameOf(found.at(-1)!) : null
    const is_whole = wanted.after === null && next === null
    const knows_nothing = found.length > 0 && found.every((one) => one.is_unavailable === true)
    if (is_whole && knows_nothing) throw hot.away
    const has_hot = listed.some(({ quote }) => quote !== undefined)
    const source = read_count === 0 ? 'hot' : has_hot ? 'both' : 'cold'
    return { found, next, source }
  }
}

function nameOf({ exchange, symbol }: InstrumentName): InstrumentName {
  return { exchange, symbol }
}

function endEarly(
  found: readonly QuoteAt[],
  { at }: QuotesAtArgs,
  { message }: LakeBudgetError,
): QuotesAtPage {
  const last = found.at(-1)
  if (last !== undefined) return { found, next: nameOf(last), source: 'cold' }
  throw new Problem(
    400,
    'range_too_large',
    'The range is too large for one answer.',
    `The quotes at ${toIso(at)} would read ${message}. Use a lower max_age_s.`,
  )
}

interface Hot {
  readonly quotes: readonly QuoteAt[]
  /** Why the database did not respond; undefined if it did. */
  readonly away: unknown
}

async function readHot(sources: QuotesAtSources, wanted: QuotesAtArgs): Promise<Hot> {
  try {
    const rows = await sources.hotQuotes(wanted)
    return { quotes: rows.map(quoteAtOf), away: undefined }
  } catch (error) {
    // Only finished hours are archived.
    if (!isAway(error) || hourStart(wanted.at) >= hourStart(sources.now())) throw error
    const listed = await sources.listInstruments().catch(() => undefined)
    if (listed === undefined) throw error
    const { exchange, symbols, after, limit } = wanted
    const instruments = listed
      .filter((one) => timeSourcesOf(one.exchange).book_ticker !== undefined)
      .filter((one) => exchange === null || one.exchange === exchange)
      .filter((one) => symbols === null || symbols.includes(one.symbol))
      .filter((one) => after === null || compareNames(one, after) > 0)
      .toSorted(compareNames)
      .slice(0, limit)
    return {
      quotes: instruments.map((one) => ({ ...instrumentOf(one), quote: undefined })),
      away: error,
    }
  }
}

function quoteAtOf(row: QuoteAtRow): QuoteAt {
  const { exchange: _exchange, symbol: _symbol, tick_size: _tick, step_size: _step, ...quote } = row
  return { ...instrumentOf(row), quote: row.ts_exchange === null ? undefined : quote }
}

function instrumentOf(
  one: InstrumentName & { readonly tick_size: number | null; readonly step_size: number | null },
): InstrumentName & Decimals {
  return {
    ...nameOf(one),
    price_decimals: one.tick_size === null ? null : decimalsOf(one.tick_size),
    qty_decimals: one.step_size === null ? null : decimalsOf(one.step_size),
  }
}

function compareNames(a: InstrumentName, b: InstrumentName): number {
  if (a.exchange !== b.exchange) return a.exchange < b.exchange ? -1 : 1
  return a.symbol === b.symbol ? 0 : a.symbol < b.symbol ? -1 : 1
}

const UNAVAILABLE = 'unavailable'

type ReadCold = (one: QuoteAt) => Promise<Row | undefined | LakeBudgetError | typeof UNAVAILABLE>

/** `away`: the reason why the files must have all that the database would have. */
function createColdReader(
  sources: QuotesAtSources,
  { from, at }: QuotesAtArgs,
  away: unknown,
): ReadCold {
  const to = micros(at + 1)
  const budget: LakeBudget = createBudget(SNAPSHOT_LIMITS)
  const columns = storedColumns(quotes, quotes.columns)
  const lists = new Map<string, Promise<readonly ArchivedHourRow[]>>()
  /** Newest first. */
  const hoursOf = (exchange: string): Promise<readonly ArchivedHourRow[]> => {
    const known = lists.get(exchange)
    if (known !== undefined) return known
    const args = { exchange, table_name: 'book_ticker', from, to } as const
    const hours = (
      away === undefined
        ? sources.archivedHours({ ...args, limit: HOURS_MAX })
        : sources.archivedHoursOfStore({ ...args, day_count_max: DAYS_MAX })
    ).then((list) => list.filter(({ is_dropped }) => is_dropped).toReversed())
    lists.set(exchange, hours)
    return hours
  }
  return async ({ exchange, symbol, quote }) => {
    const known_from = quote === undefined ? from : (quote['ts_exchange'] as Micros)
    // Only finished hours are archived.
    if (known_from >= hourStart(sources.now())) return undefined
    let covered_from = to
    for (const hour of await hoursOf(exchange)) {
      const hour_end = micros(hour.hour + HOUR_US)
      if (hour_end <= known_from) break
      // The database would have the quotes of an hour that has no file.
      if (away !== undefined && hour_end < covered_from) return UNAVAILABLE
      covered_from = hour.hour
      const args = { table: quotes, columns, symbol, from: known_from, to }
      try {
        const row = await sources.newestRow(hour, args, undefined, budget)
        if (row !== undefined) return row
      } catch (error) {
        if (error instanceof LakeBudgetError) return error
        throw error
      }
    }
    return away !== undefined && covered_from > from ? UNAVAILABLE : undefined
  }
}
