/**
 * The features of one symbol in one day: finds its grid, carries in the last quote of the day
 * before, folds both streams, and says what is missing.
 */
import type { Exchange } from '#core/symbols.ts'
import type { Channel } from '#core/market.ts'
import { micros, type Micros } from '#core/time.ts'
import type { DaySource, DaySymbol } from '../source/source.ts'
import { blindSeconds, cutsOf, isBehind, type Cut, type StreamGap } from './gaps.ts'
import { gridOf, type Grid } from './grid.ts'
import { QuoteFold, type QuoteColumns } from './quote-columns.ts'
import { isTwoSided, type TopOfBook } from './quote.ts'
import { TradeFold, type TradeColumns } from './trade-columns.ts'

/** What is known of one stream of one symbol in the day. */
export interface StreamCoverage {
  readonly channel: Channel
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
  /** One value a second; NaN is null. */
  readonly columns: QuoteColumns & TradeColumns
  readonly coverage: readonly StreamCoverage[]
}

/** What the whole exchange's day says about one of its symbols. */
export interface ExchangeDay {
  /** Start of the UTC day. */
  readonly from: Micros
  /** The exchange's last event in the day, of whatever symbol. */
  readonly last_ts: Micros
  /** False where no symbol of the exchange has a trade: then trades were not recorded. */
  readonly has_trades: boolean
}

/** Rejects with the signal's reason as soon as it is aborted. */
export async function buildSymbolDay(
  source: DaySource,
  symbol: DaySymbol,
  exchange_day: ExchangeDay,
  signal: AbortSignal,
): Promise<SymbolDay> {
  const { from, last_ts } = exchange_day
  const quote_gaps = await source.gaps(symbol, 'book_ticker')
  const trade_gaps = await source.gaps(symbol, 'trades')
  const cuts = cutsOf(quote_gaps)
  const carried = await carriedQuote(source, symbol, cuts, from)
  const grid = gridOf(carried === undefined ? symbol.first_ts : from, last_ts)

  const quotes = new QuoteFold(grid, cuts, carried)
  let quote_count = 0
  for await (const chunk of source.quotes(symbol)) {
    signal.throwIfAborted()
    quotes.add(chunk)
    quote_count += chunk.row_count
  }
  const blind = blindSeconds(trade_gaps, grid)
  if (!exchange_day.has_trades) blind.fill(1)
  const trades = new TradeFold(grid, blind)
  let trade_count = 0
  for await (const chunk of source.trades(symbol)) {
    signal.throwIfAborted()
    trades.add(chunk)
    trade_count += chunk.row_count
  }

  const columns = { ...quotes.finish(), ...trades.finish() }
  const touchesDay = (gap: StreamGap): boolean => gap.to_ts >= from
  return {
    exchange: symbol.exchange,
    symbol: symbol.symbol,
    grid,
    columns,
    coverage: [
      {
        channel: 'book_ticker',
        event_count: quote_count,
        present_s: countKnown(columns.mid_close),
        gaps: quote_gaps.filter(touchesDay),
      },
      {
        channel: 'trades',
        event_count: trade_count,
        present_s: countKnown(columns.trade_count),
        gaps: trade_gaps.filter(touchesDay),
      },
    ],
  }
}

/**
 * The quote that was valid at midnight, unless a gap since then makes it a guess. A symbol
 * without a quote in the day is not recorded any more: nothing is carried in for it.
 */
async function carriedQuote(
  source: DaySource,
  symbol: DaySymbol,
  cuts: readonly Cut[],
  from: Micros,
): Promise<TopOfBook | undefined> {
  if (!symbol.channels.includes('book_ticker')) return undefined
  const quote = await source.quoteBefore(symbol)
  if (quote === undefined || !isTwoSided(quote)) return undefined
  const is_cut = cuts.some(
    (cut) => cut.ts < from && !isBehind(cut, quote.ts_exchange, quote.update_id),
  )
  return is_cut ? undefined : quote
}

function countKnown(column: Float64Array): number {
  let count = 0
  for (const value of column) if (!Number.isNaN(value)) count += 1
  return count
}

/** Last event of each exchange in the day, and whether it has trades. */
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
      has_trades: (day?.has_trades ?? false) || channels.includes('trades'),
    })
  }
  return days
}
