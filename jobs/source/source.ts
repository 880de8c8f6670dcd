/**
 * Where a day's events come from, as the computations see it: columns of typed arrays per symbol
 * and stream, in the order of (ts_exchange, id). Whether they lie in Postgres or in Parquet is
 * the source's own affair.
 */
import type { Exchange } from '#core/symbols.ts'
import type { Channel } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { StreamGap } from '../features/gaps.ts'
import type { TopOfBook } from '../features/quote.ts'

/** Times in microseconds, prices in the quote asset. Arrays may be longer than `row_count`. */
export interface QuoteChunk {
  readonly row_count: number
  readonly ts_exchange: Float64Array
  readonly update_id: Float64Array
  readonly best_bid: Float64Array
  readonly bid_qty: Float64Array
  readonly best_ask: Float64Array
  readonly ask_qty: Float64Array
}

export interface TradeChunk {
  readonly row_count: number
  readonly ts_exchange: Float64Array
  readonly price: Float64Array
  readonly qty: Float64Array
  /** 1: the taker sold. */
  readonly is_buyer_maker: Uint8Array
}

/** One symbol with at least one event in the day. */
export interface DaySymbol {
  /** The source's own handle. Nothing that is published may depend on it. */
  readonly symbol_id: number
  readonly exchange: Exchange
  readonly symbol: string
  readonly first_ts: Micros
  readonly last_ts: Micros
  /** Channels with at least one event of this symbol in the day. */
  readonly channels: readonly Channel[]
}

export interface CarriedQuote extends TopOfBook {
  readonly ts_exchange: Micros
  readonly update_id: number
}

/** One consistent view of a day. A chunk's arrays are reused: it is valid until the next. */
export interface DaySource {
  /** Sorted by exchange and symbol, in the order of their UTF-8 bytes. */
  readonly symbols: readonly DaySymbol[]
  quotes(symbol: DaySymbol): AsyncIterable<QuoteChunk>
  trades(symbol: DaySymbol): AsyncIterable<TradeChunk>
  /** The newest quote of the day before, or undefined. */
  quoteBefore(symbol: DaySymbol): Promise<CarriedQuote | undefined>
  /** Gaps that touch the day or the day before it, repaired ones included, oldest first. */
  gaps(symbol: DaySymbol, channel: Channel): Promise<readonly StreamGap[]>
}
