/**
 * Builds the features of one symbol's day: finds its grid, carries in the state at midnight, folds
 * its streams, and counts what is known.
 */
import { BOOK_COLUMNS } from '#core/features/book.ts'
import { LABEL_HORIZONS } from '#core/features/label.ts'
import { FEATURES_100MS } from '#core/features.ts'
import type { Exchange } from '#core/symbols.ts'
import { micros, SECOND_US, type Micros } from '#core/time.ts'
import { carriedMark, carriedQuote } from '../day/carried.ts'
import type { StreamCoverage } from '../day/coverage.ts'
import { type DayReader, type DaySymbol, FEATURE_CHANNELS, gapsOf } from '../day/events.ts'
import type { ExchangeDay } from '../day/exchange-day.ts'
import type { Columns } from '../day/grid-columns.ts'
import { gridOf, type Grid, type GridHour, hoursOf } from '../day/grid.ts'
import type { CarriedBook } from './book-columns.ts'
import { fitDay, type Fit } from './fit/fit.ts'
import type { SavedBuckets } from './fit/vpin.ts'
import { fittedColumns } from './fitted-columns.ts'
import {
  type DayPart,
  foldBook,
  foldLiquidations,
  foldMarks,
  foldQuotes,
  foldTrades,
} from './fold-streams.ts'
import { countsOf, type HourCounts, type Streams } from './hour-counts.ts'
import { labelColumns } from './label-columns.ts'
import type { MarkValues } from './mark-columns.ts'
import { MidReturns } from './mid-returns.ts'
import type { TimedQuote } from './quote-columns.ts'
import { windowColumns } from './window-columns.ts'
import { joinInputs, lastInputs, type WindowInputs } from './window-inputs.ts'

/** What to build of a symbol's day. Plain data that can be posted to another thread. */
export interface SymbolTask {
  readonly made: 'features_1s' | 'features_100ms'
  readonly symbol: DaySymbol
  readonly exchange_day: ExchangeDay
  /** Fit of the day before; undefined if it has none. */
  readonly fit: Fit | undefined
  /** Whether to fit this day for the next one. */
  readonly is_complete: boolean
}

/** Where a build continues: everything before this whole hour was built earlier. */
export interface Resume {
  readonly from: Micros
  /** Start of the day's grid. */
  readonly grid_from: Micros
  readonly carried: CarriedHour
}

/** State at a whole hour that the hours after it need. Plain data. */
export interface CarriedHour {
  readonly quote: TimedQuote | undefined
  readonly mark: MarkValues | undefined
  readonly book: CarriedBook | undefined
  readonly buckets: SavedBuckets | undefined
  /** Only for features_1s. */
  readonly window: WindowInputs | undefined
}

/** One hour of the built rows. */
export interface BuiltHour extends GridHour {
  readonly counts: HourCounts
  readonly carried: CarriedHour
  /** No event from this time on can change the hour's rows. Infinity: any can. */
  readonly read_to: number
}

export interface SymbolDay {
  readonly exchange: Exchange
  readonly symbol: string
  /** Grid of the whole day, even if the build continues an earlier one. */
  readonly grid: Grid
  /** Rows that were built: the whole grid, or its part after `resume`. */
  readonly built: Grid
  /** The hours of `built`. */
  readonly hours: readonly BuiltHour[]
  /** One value per row of `built`; NaN is null. */
  readonly columns: Columns<string>
  /** Only for features_1s. */
  readonly labels: Columns<string> | undefined
  /** Only for features_1s, if requested. */
  readonly fit: Fit | undefined
}

const STEP_US = { features_1s: SECOND_US, features_100ms: SECOND_US / 10 } as const
/** A row's labels depend on this many rows after it. */
const LABEL_ROWS = Math.max(...LABEL_HORIZONS)
const BOOK_NAMES = [...BOOK_COLUMNS.map(({ name }) => name), 'mlofi_integrated']
const BOOK_NAMES_100MS = BOOK_NAMES.filter((name) =>
  FEATURES_100MS.some((feature) => feature.name === name),
)

/**
 * Rejects with the signal's reason when it is aborted. `until`: only for features_100ms, builds as
 * if the day's events ended there.
 */
export async function buildSymbolDay(
  reader: DayReader,
  task: SymbolTask,
  signal: AbortSignal,
  resume?: Resume,
  until?: Micros,
): Promise<SymbolDay> {
  const { made, symbol, exchange_day, is_complete } = task
  const step_us = STEP_US[made]
  const carried = resume?.carried ?? (await carriedIn(reader, symbol, exchange_day.from))
  const starts_at_midnight = carried.quote !== undefined
  const first_ts = resume?.grid_from ?? (starts_at_midnight ? exchange_day.from : symbol.first_ts)
  const last_ts =
    until === undefined ? exchange_day.last_ts : micros(Math.min(exchange_day.last_ts, until - 1))
  const grid = gridOf(first_ts, exchange_day.last_ts, step_us)
  const built = gridOf(resume?.from ?? first_ts, last_ts, step_us)
  const hours = hoursOf(built)
  const day: DayPart = {
    reader,
    symbol,
    exchange_day,
    grid: built,
    hours,
    from: resume?.from,
    to: until,
    signal,
  }

  const quotes = await foldQuotes(day, carried.quote)
  const trades = await foldTrades(day)
  const names = made === 'features_1s' ? BOOK_NAMES : BOOK_NAMES_100MS
  const book = await foldBook(day, names, task.fit, carried.book)
  const fitted = fittedColumns({
    quotes,
    trades: made === 'features_1s' ? trades : undefined,
    hours,
    fit: task.fit,
    buckets: carried.buckets,
  })
  const common = { ...quotes.columns, ...trades.columns, ...book.columns, ...fitted.columns }
  const streams: Streams = {
    book_ticker: { ...quotes, known: quotes.columns.quote_count },
    trades: { ...trades, known: trades.columns.trade_count },
    depth_events: { ...book, known: book.columns['depth_update_count']! },
  }
  const of_symbol = { exchange: symbol.exchange, symbol: symbol.symbol, grid, built }
  const carriedAt = ({ to }: GridHour): Omit<CarriedHour, 'window' | 'mark'> => ({
    quote: quotes.hours.get(to),
    book: book.atHour(to).carried,
    buckets: fitted.buckets.get(to),
  })
  /** The hour's rows and `ahead` rows after them are all built. */
  const isWhole = ({ end }: GridHour, ahead: number): boolean => end + ahead <= built.row_count
  if (made === 'features_100ms') {
    const built_hours = hours.map((hour) => ({
      ...hour,
      counts: countsOf(streams, hour, hours),
      carried: { ...carriedAt(hour), mark: undefined, window: undefined },
      read_to: Math.max(isWhole(hour, 1) ? hour.to : Infinity, book.atHour(hour.to).read_to),
    }))
    return { ...of_symbol, hours: built_hours, columns: common, labels: undefined, fit: undefined }
  }
  const marks = await foldMarks(day, carried.mark)
  const liquidations = await foldLiquidations(day)
  const inputs = joinInputs(carried.window, quotes, trades)
  const before = inputs.cut.length - built.row_count
  const with_before = windowColumns(inputs, inputs, new MidReturns(inputs), inputs.first_row)
  const windows = Object.entries(with_before).map(
    ([name, values]) => [name, values.subarray(before)] as const,
  )
  const columns = {
    ...common,
    ...Object.fromEntries(windows),
    ...marks.columns,
    ...liquidations.columns,
  }
  const all_streams = {
    ...streams,
    mark_price: { ...marks, known: marks.columns.mark_price },
    liquidations: { ...liquidations, known: liquidations.columns.liquidation_count },
  }
  return {
    ...of_symbol,
    columns,
    labels: labelColumns(quotes, new MidReturns(quotes)),
    fit: is_complete ? fitDay(quotes, trades, book.columns) : undefined,
    hours: hours.map((hour) => ({
      ...hour,
      counts: countsOf(all_streams, hour, hours),
      carried: {
        ...carriedAt(hour),
        mark: marks.hours.get(hour.to),
        window: lastInputs(inputs, before + hour.end),
      },
      read_to: Math.max(
        // Labels depend on later rows.
        isWhole(hour, LABEL_ROWS) ? hour.to + LABEL_ROWS * step_us : Infinity,
        book.atHour(hour.to).read_to,
      ),
    })),
  }
}

/** A symbol's coverage, summed over its hours. Its gaps come from the ledger. */
export function coverageOf(
  { made, symbol, exchange_day }: SymbolTask,
  hours: readonly HourCounts[],
): readonly StreamCoverage[] {
  return FEATURE_CHANNELS.flatMap((channel) => {
    const counts = hours.flatMap((hour) => hour[channel] ?? [])
    if (counts.length === 0) return []
    const known_count = counts.reduce((sum, hour) => sum + hour.known_count, 0)
    return {
      channel,
      event_count: counts.reduce((sum, hour) => sum + hour.event_count, 0),
      present_s: Math.floor((known_count * STEP_US[made]) / SECOND_US),
      gaps: gapsOf(symbol, channel).filter((gap) => gap.to_ts >= exchange_day.from),
    }
  })
}

/** The state at midnight. The book is not in it: reading depth from before midnight rebuilds it. */
async function carriedIn(reader: DayReader, symbol: DaySymbol, from: Micros): Promise<CarriedHour> {
  return {
    quote: await carriedQuote(reader, symbol, from),
    mark: await carriedMark(reader, symbol, from),
    book: undefined,
    buckets: undefined,
    window: undefined,
  }
}
