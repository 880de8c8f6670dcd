/**
 * The features of one symbol in one day: finds its grid, carries in what was valid at midnight,
 * folds its streams, and says what is missing.
 */
import { BOOK_COLUMNS } from '#core/features/book.ts'
import { FEATURES_100MS } from '#core/features.ts'
import type { Exchange } from '#core/symbols.ts'
import { SECOND_US, micros, type Micros } from '#core/time.ts'
import type {
  CarriedMark,
  CarriedQuote,
  DayReader,
  DaySymbol,
  FeatureChannel,
} from '../source/source.ts'
import { BookFold } from './book-columns.ts'
import { countKnown, type Columns } from './columns.ts'
import { fittedColumns } from './fitted-columns.ts'
import { fitDay, type Fit } from './fit/fit.ts'
import { blindRows, cutsOf, isBehind, type Cut, type StreamGap } from './gaps.ts'
import { gridOf, type Grid } from './grid.ts'
import { labelColumns } from './label-columns.ts'
import { LiquidationFold, type LiquidationColumns } from './liquidation-columns.ts'
import { MarkFold, type MarkColumns } from './mark-columns.ts'
import { MidReturns } from './mid-returns.ts'
import { QuoteFold, type QuoteResult } from './quote-columns.ts'
import { TradeFold, type TradeResult } from './trade-columns.ts'
import { windowColumns } from './window-columns.ts'

/** What is to be made of a symbol's day. Goes from thread to thread as it is. */
export interface SymbolTask {
  readonly made: 'features_1s' | 'features_100ms'
  readonly symbol: DaySymbol
  readonly exchange_day: ExchangeDay
  /** Of the day before; undefined where there is none. */
  readonly fit: Fit | undefined
}

/** What is known of one stream of one symbol in the day. */
export interface StreamCoverage {
  readonly channel: FeatureChannel
  readonly event_count: number
  /** Seconds of the grid whose values are known. */
  readonly present_s: number
  /** Gaps that touch the day, repaired ones included. */
  readonly gaps: readonly StreamGap[]
}

export interface SymbolDay {
  readonly exchange: Exchange
  readonly symbol: string
  readonly grid: Grid
  /** One value a row; NaN is null. */
  readonly columns: Columns<string>
  readonly coverage: readonly StreamCoverage[]
  /** Of features_1s only. */
  readonly labels: Columns<string> | undefined
  readonly fit: Fit | undefined
}

/** What the whole exchange's day says about one of its symbols. */
export interface ExchangeDay {
  /** Start of the UTC day. */
  readonly from: Micros
  /** The exchange's last event in the day, of whatever symbol. */
  readonly last_ts: Micros
  /** Streams that any of its symbols has: another was not recorded. */
  readonly channels: readonly FeatureChannel[]
}

const STEP_US = { features_1s: SECOND_US, features_100ms: SECOND_US / 10 } as const
const BOOK_NAMES = [...BOOK_COLUMNS.map(({ name }) => name), 'mlofi_integrated']
const BOOK_NAMES_100MS = BOOK_NAMES.filter((name) =>
  FEATURES_100MS.some((feature) => feature.name === name),
)

/** Rejects with the signal's reason as soon as it is aborted. */
export async function buildSymbolDay(
  reader: DayReader,
  task: SymbolTask,
  signal: AbortSignal,
): Promise<SymbolDay> {
  const { made, symbol, exchange_day } = task
  const { from, last_ts } = exchange_day
  const carried = await carriedQuote(reader, symbol, from)
  const grid = gridOf(carried === undefined ? symbol.first_ts : from, last_ts, STEP_US[made])
  const day: Day = { reader, symbol, exchange_day, grid, signal }
  const of_day = { exchange: symbol.exchange, symbol: symbol.symbol, grid }

  const quotes = await foldQuotes(day, carried)
  const trades = await foldTrades(day)
  const book = await foldBook(day, made === 'features_1s' ? BOOK_NAMES : BOOK_NAMES_100MS, task.fit)
  const streams = [
    covered(day, 'book_ticker', quotes.event_count, quotes.columns.quote_count),
    covered(day, 'trades', trades.event_count, trades.columns.trade_count),
    covered(day, 'depth_events', book.event_count, book.columns['depth_update_count']!),
  ]
  const common = { ...quotes.columns, ...trades.columns, ...book.columns }
  if (made === 'features_100ms') {
    const columns = { ...common, ...fittedColumns(quotes, undefined, task.fit) }
    return { ...of_day, columns, coverage: streams, labels: undefined, fit: undefined }
  }
  const marks = await foldMarks(day)
  const liquidations = await foldLiquidations(day)
  const returns = new MidReturns(quotes)
  const columns = {
    ...common,
    ...windowColumns(quotes, trades, returns),
    ...marks.columns,
    ...liquidations.columns,
    ...fittedColumns(quotes, trades, task.fit),
  }
  const { mark_price } = marks.columns
  const { liquidation_count } = liquidations.columns
  const coverage = [
    ...streams,
    covered(day, 'mark_price', marks.event_count, mark_price),
    covered(day, 'liquidations', liquidations.event_count, liquidation_count),
  ]
  const fit = fitDay(quotes, trades, book.columns)
  return { ...of_day, columns, coverage, labels: labelColumns(quotes, returns), fit }
}

/** Of each exchange: its last event in the day, and its streams. */
export function exchangeDays(
  symbols: readonly DaySymbol[],
  from: Micros,
): ReadonlyMap<Exchange, ExchangeDay> {
  const days = new Map<Exchange, ExchangeDay>()
  for (const { exchange, last_ts, channels } of symbols) {
    const day = days.get(exchange)
    days.set(exchange, {
      from,
      last_ts: micros(Math.max(last_ts, day?.last_ts ?? 0)),
      channels: [...new Set([...(day?.channels ?? []), ...channels])],
    })
  }
  return days
}

interface Day {
  readonly reader: DayReader
  readonly symbol: DaySymbol
  readonly exchange_day: ExchangeDay
  readonly grid: Grid
  readonly signal: AbortSignal
}

interface Folded<T> {
  readonly columns: T
  readonly event_count: number
}

async function foldQuotes(
  { reader, symbol, grid, signal }: Day,
  carried: CarriedQuote | undefined,
): Promise<QuoteResult & { readonly event_count: number }> {
  const fold = new QuoteFold(grid, cutsOf(gapsOf(symbol, 'book_ticker')), carried)
  const event_count = await feed(fold, reader.quotes(symbol), signal)
  return { ...fold.finish(), event_count }
}

async function foldTrades(day: Day): Promise<TradeResult & { readonly event_count: number }> {
  const fold = new TradeFold(day.grid, blindTo(day, 'trades'))
  const event_count = await feed(fold, day.reader.trades(day.symbol), day.signal)
  return { ...fold.finish(), event_count }
}

async function foldLiquidations(day: Day): Promise<Folded<LiquidationColumns>> {
  const fold = new LiquidationFold(day.grid, blindTo(day, 'liquidations'))
  const event_count = await feed(fold, day.reader.liquidations(day.symbol), day.signal)
  return { columns: fold.finish(), event_count }
}

async function foldMarks({ reader, symbol, exchange_day, grid, signal }: Day): Promise<
  Folded<MarkColumns>
> {
  const cuts = cutsOf(gapsOf(symbol, 'mark_price'))
  const carried = await carriedMark(reader, symbol, cuts, exchange_day.from)
  const fold = new MarkFold(grid, cuts, carried)
  const event_count = await feed(fold, reader.marks(symbol), signal)
  return { columns: fold.finish(), event_count }
}

async function foldBook(
  { reader, symbol, exchange_day, grid, signal }: Day,
  wanted: readonly string[],
  fit: Fit | undefined,
): Promise<Folded<Columns<string>>> {
  const fold = new BookFold(grid, wanted, fit?.ofi_weights ?? undefined)
  let event_count = 0
  for await (const rows of reader.depth(symbol)) {
    signal.throwIfAborted()
    fold.add(rows)
    for (const row of rows) if (row.ts_exchange >= exchange_day.from) event_count += 1
  }
  return { columns: fold.finish(gapsOf(symbol, 'depth_events')), event_count }
}

/** The number of rows. */
async function feed<Chunk extends { readonly row_count: number }>(
  fold: { add(chunk: Chunk): void },
  chunks: AsyncIterable<Chunk>,
  signal: AbortSignal,
): Promise<number> {
  let row_count = 0
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    fold.add(chunk)
    row_count += chunk.row_count
  }
  return row_count
}

/**
 * The quote that was valid at midnight, unless a gap since then makes it a guess. A symbol
 * without a quote in the day is not recorded any more: nothing is carried in for it.
 */
export async function carriedQuote(
  reader: DayReader,
  symbol: DaySymbol,
  from: Micros,
): Promise<CarriedQuote | undefined> {
  if (!symbol.channels.includes('book_ticker')) return undefined
  const quote = await reader.quoteBefore(symbol)
  if (quote === undefined) return undefined
  const cuts = cutsOf(gapsOf(symbol, 'book_ticker'))
  return isCutSince(cuts, from, quote.ts_exchange, quote.update_id) ? undefined : quote
}

async function carriedMark(
  reader: DayReader,
  symbol: DaySymbol,
  cuts: readonly Cut[],
  from: Micros,
): Promise<CarriedMark | undefined> {
  if (!symbol.channels.includes('mark_price')) return undefined
  const mark = await reader.markBefore(symbol)
  if (mark === undefined || isCutSince(cuts, from, mark.ts_exchange, 0)) return undefined
  return mark
}

/** Whether a cut lies between this event of the day before and midnight. */
function isCutSince(cuts: readonly Cut[], from: Micros, ts: number, id: number): boolean {
  return cuts.some((cut) => cut.ts < from && !isBehind(cut, ts, id))
}

export function gapsOf(symbol: DaySymbol, channel: FeatureChannel): readonly StreamGap[] {
  return symbol.gaps.filter((gap) => gap.channel === channel)
}

/** Rows of a stream that were not heard in full. */
function blindTo({ symbol, exchange_day, grid }: Day, channel: FeatureChannel): Uint8Array {
  const blind = blindRows(gapsOf(symbol, channel), grid)
  return exchange_day.channels.includes(channel) ? blind : blind.fill(1)
}

function covered(
  { symbol, exchange_day, grid }: Day,
  channel: FeatureChannel,
  event_count: number,
  column: Float64Array,
): StreamCoverage {
  return {
    channel,
    event_count,
    present_s: Math.floor((countKnown(column) * grid.step_us) / SECOND_US),
    gaps: gapsOf(symbol, channel).filter((gap) => gap.to_ts >= exchange_day.from),
  }
}
