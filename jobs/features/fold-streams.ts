/** Reads the streams of a part of a symbol's day and folds each of them into its columns. */
import type { Micros } from '#core/time.ts'
import { type DayReader, type DaySymbol, type FeatureChannel, gapsOf } from '../day/events.ts'
import type { ExchangeDay } from '../day/exchange-day.ts'
import { blindRows, cutsOf } from '../day/gaps.ts'
import type { Columns } from '../day/grid-columns.ts'
import type { Grid, GridHour } from '../day/grid.ts'
import { BookFold, type BookHour, type CarriedBook } from './book-columns.ts'
import type { Fit } from './fit/fit.ts'
import { EventCounter } from './hour-counts.ts'
import { LiquidationFold, type LiquidationColumns } from './liquidation-columns.ts'
import { MarkFold, type MarkColumns, type MarkValues } from './mark-columns.ts'
import { type FoldedQuotes, QuoteFold, type TimedQuote } from './quote-columns.ts'
import { TradeFold, type TradeResult } from './trade-columns.ts'

/** The part of a symbol's day to build. */
export interface DayPart {
  readonly reader: DayReader
  readonly symbol: DaySymbol
  readonly exchange_day: ExchangeDay
  /** Grid of the rows to build. */
  readonly grid: Grid
  readonly hours: readonly GridHour[]
  /** Read events from this time on; undefined: the whole day. */
  readonly from: Micros | undefined
  /** Read quotes, trades and depth before this time; undefined: the whole day. */
  readonly to: Micros | undefined
  readonly signal: AbortSignal
}

interface Folded<T> {
  readonly columns: T
  /** Number of events per hour. */
  readonly event_counts: readonly number[]
}

export async function foldQuotes(
  { reader, symbol, grid, hours, from, to, signal }: DayPart,
  carried: TimedQuote | undefined,
): Promise<FoldedQuotes & { readonly event_counts: readonly number[] }> {
  const fold = new QuoteFold(grid, cutsOf(gapsOf(symbol, 'book_ticker')), carried)
  const event_counts = await feed(fold, reader.quotes(symbol, from, to), hours, signal)
  return { ...fold.finish(), event_counts }
}

export async function foldTrades(
  day: DayPart,
): Promise<TradeResult & { readonly event_counts: readonly number[] }> {
  const { reader, symbol, grid, hours, from, to, signal } = day
  const fold = new TradeFold(grid, blindTo(day, 'trades'))
  const event_counts = await feed(fold, reader.trades(symbol, from, to), hours, signal)
  return { ...fold.finish(), event_counts }
}

export async function foldLiquidations(day: DayPart): Promise<Folded<LiquidationColumns>> {
  const { reader, symbol, grid, hours, from, signal } = day
  const fold = new LiquidationFold(grid, blindTo(day, 'liquidations'))
  const event_counts = await feed(fold, reader.liquidations(symbol, from), hours, signal)
  return { columns: fold.finish(), event_counts }
}

export async function foldMarks(
  { reader, symbol, grid, hours, from, signal }: DayPart,
  carried: MarkValues | undefined,
): Promise<Folded<MarkColumns> & Pick<MarkFold, 'hours'>> {
  const fold = new MarkFold(grid, cutsOf(gapsOf(symbol, 'mark_price')), carried)
  const event_counts = await feed(fold, reader.marks(symbol, from), hours, signal)
  return { columns: fold.finish(), event_counts, hours: fold.hours }
}

export async function foldBook(
  { reader, symbol, exchange_day, grid, hours, from, to, signal }: DayPart,
  wanted: readonly string[],
  fit: Fit | undefined,
  carried: CarriedBook | undefined,
): Promise<Folded<Columns<string>> & { readonly atHour: (to: number) => BookHour }> {
  const fold = new BookFold(grid, wanted, fit?.ofi_weights ?? undefined, carried)
  const counter = new EventCounter(hours)
  for await (const rows of reader.depth(symbol, from, to)) {
    signal.throwIfAborted()
    fold.add(rows)
    for (const { ts_exchange: ts } of rows) if (ts >= exchange_day.from) counter.add(ts)
  }
  const columns = fold.finish(gapsOf(symbol, 'depth_events'))
  return { columns, event_counts: counter.counts, atHour: (end) => fold.atHour(end) }
}

/** Adds a stream's events to a fold, and counts them by hour. */
async function feed<
  Chunk extends { readonly row_count: number; readonly ts_exchange: Float64Array },
>(
  fold: { add(chunk: Chunk): void },
  chunks: AsyncIterable<Chunk>,
  hours: readonly GridHour[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  const counter = new EventCounter(hours)
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    fold.add(chunk)
    for (let i = 0; i < chunk.row_count; i++) counter.add(chunk.ts_exchange[i]!)
  }
  return counter.counts
}

/** 1 for rows in which the stream was not fully recorded. */
function blindTo({ symbol, exchange_day, grid }: DayPart, channel: FeatureChannel): Uint8Array {
  const blind = blindRows(gapsOf(symbol, channel), grid)
  return exchange_day.channels.includes(channel) ? blind : blind.fill(1)
}
