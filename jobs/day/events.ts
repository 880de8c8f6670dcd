/**
 * A day's events as the computations see them: per symbol and stream, ordered by (ts_exchange, id).
 * Only the reader knows whether they come from Postgres or Parquet.
 */
import type { Channel } from '#core/market.ts'
import type { Exchange } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'
import type { RowChunk } from '../columns/row-chunk.ts'
import type { TopOfBook } from '../formulas/formulas.ts'
import type { AnyDepthRow, ArrivedDepthRow } from './depth-reader.ts'
import type { StreamGap } from './gaps.ts'

/**
 * Times in microseconds, prices in the quote asset; NaN for an empty side. Arrays may be longer
 * than `row_count`.
 */
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

/** NaN for a value that the exchange did not send. */
export interface MarkChunk {
  readonly row_count: number
  readonly ts_exchange: Float64Array
  readonly mark_price: Float64Array
  readonly index_price: Float64Array
  readonly funding_rate: Float64Array
}

export interface LiquidationChunk {
  readonly row_count: number
  readonly ts_exchange: Float64Array
  /** 1: the forced order bought. */
  readonly is_buy: Uint8Array
  readonly filled_qty: Float64Array
}

export interface ChannelGap extends StreamGap {
  readonly channel: Channel
}

/** A symbol is in the day if one of these has events. Marks and liquidations alone do not count. */
export const GRID_CHANNELS = ['book_ticker', 'trades', 'depth_events'] as const

/** Every stream that features are computed from. */
export const FEATURE_CHANNELS = [...GRID_CHANNELS, 'mark_price', 'liquidations'] as const
export type FeatureChannel = (typeof FEATURE_CHANNELS)[number]

/** One symbol with at least one event of GRID_CHANNELS in the day. */
export interface DaySymbol {
  /** The database's internal id. Published bytes must not depend on it. */
  readonly symbol_id: number
  readonly exchange: Exchange
  readonly symbol: string
  /** Smallest price step, as the exchange lists it now; null if it is not known. */
  readonly tick_size: number | null
  /** First and last event of GRID_CHANNELS. */
  readonly first_ts: Micros
  readonly last_ts: Micros
  /** Channels with at least one event of this symbol in the day. */
  readonly channels: readonly FeatureChannel[]
  /** Gaps that touch the day or the day before it, repaired ones included, oldest first. */
  readonly gaps: readonly ChannelGap[]
}

export interface CarriedQuote extends TopOfBook {
  readonly ts_exchange: Micros
  readonly update_id: number
}

/** NaN for a value that the exchange did not send. */
export interface CarriedMark {
  readonly ts_exchange: Micros
  readonly mark_price: number
  readonly index_price: number
  readonly funding_rate: number
}

/**
 * A symbol's events in the day. With `from`, only those from there on; with `to`, only those
 * before it. Both are whole hours. The next chunk reuses a chunk's arrays.
 */
export interface DayReader {
  quotes(symbol: DaySymbol, from?: Micros, to?: Micros): AsyncIterable<QuoteChunk>
  trades(symbol: DaySymbol, from?: Micros, to?: Micros): AsyncIterable<TradeChunk>
  marks(symbol: DaySymbol, from?: Micros): AsyncIterable<MarkChunk>
  liquidations(symbol: DaySymbol, from?: Micros): AsyncIterable<LiquidationChunk>
  /**
   * Diffs and snapshots from `from` on. Without it they begin shortly before the newest snapshot in
   * the last hours of the day before, if there is one. Partial books are left out: they cannot
   * continue a book that is kept in sequence.
   */
  depth(symbol: DaySymbol, from?: Micros, to?: Micros): AsyncIterable<readonly AnyDepthRow[]>
  /** The newest quote of the day before; undefined if none. */
  quoteBefore(symbol: DaySymbol): Promise<CarriedQuote | undefined>
  markBefore(symbol: DaySymbol): Promise<CarriedMark | undefined>
}

/** A symbol's rows in the day as they were recorded. The next chunk reuses a chunk's arrays. */
export interface RowReader {
  /** Ordered by the table's identity. */
  rows(
    symbol: DaySymbol,
    channel: FeatureChannel,
    columns: readonly string[],
  ): AsyncIterable<RowChunk>
  /** As DayReader.depth for the whole day, with arrivals. */
  arrivedDepth(symbol: DaySymbol): AsyncIterable<readonly ArrivedDepthRow[]>
}

export function gapsOf(symbol: DaySymbol, channel: FeatureChannel): readonly StreamGap[] {
  return symbol.gaps.filter((gap) => gap.channel === channel)
}
