/**
 * The market events, a union on `kind`. An exchange's adapter produces them; the writer turns them
 * into rows. Prices and quantities are doubles. The parser checks ids against MAX_SAFE_INTEGER, so
 * the hot path has no bigint.
 */
import type { Exchange } from './symbols.ts'
import type { Micros } from './time.ts'

/**
 * A channel is named after the table it fills. A stream is one (exchange, symbol, channel). Raw
 * and aggregated trades are both `trades`; an ingestor records one of the two.
 */
export const CHANNELS = [
  'book_ticker',
  'trades',
  'depth_events',
  'mark_price',
  'liquidations',
  'prices',
] as const
export type Channel = (typeof CHANNELS)[number]

interface Stamped {
  readonly exchange: Exchange
  readonly symbol: string
  /** The matching engine's time if the payload has it, else the event time, else ts_ingest. */
  readonly ts_exchange: Micros
  /** Our clock when the frame arrived. Never replaced. */
  readonly ts_ingest: Micros
}

/**
 * Best bid and ask after one change of the book. A side is empty if its price or its quantity is 0
 * or absent; then both are null.
 */
export interface BookTicker extends Stamped {
  readonly kind: 'book_ticker'
  readonly update_id: number
  readonly best_bid: number | null
  readonly bid_qty: number | null
  readonly best_ask: number | null
  readonly ask_qty: number | null
}

/** A trade: aggregated by the exchange, or a single fill if raw trades are recorded. */
export interface Trade extends Stamped {
  readonly kind: 'trade'
  /**
   * Aggregate trade id, or the trade id if raw trades are recorded. Consecutive per symbol. If the
   * event has a `seq`, this id only distinguishes trades of the same time.
   */
  readonly agg_trade_id: number
  /**
   * The exchange's sequence number, for exchanges whose trade ids are not consecutive (Bybit:
   * UUIDs). It never decreases, and several trades may share it. Absent if agg_trade_id is the
   * sequence.
   */
  readonly seq?: number
  readonly price: number
  /** Base-asset quantity, retail price improvement (RPI) fills included. */
  readonly qty: number
  /** The quantity without RPI fills; null if the exchange did not send it (before 2026). */
  readonly non_rpi_qty: number | null
  readonly first_trade_id: number | null
  readonly last_trade_id: number | null
  /** True: the taker sold. */
  readonly is_buyer_maker: boolean
}

/**
 * An id that the exchange used for something other than a market trade (insurance fund, ADL).
 * It makes no row, but it keeps the trade sequence unbroken.
 */
export interface VoidTrade extends Stamped {
  readonly kind: 'void_trade'
  readonly agg_trade_id: number
  /** As in Trade. */
  readonly seq?: number
}

/** Price and quantity; quantity 0 in a diff removes the level. */
export type Level = readonly [price: number, qty: number]

/**
 * A change of the book, or a whole book. `diff`: the levels that changed between first_update_id
 * and final_update_id. `partial`: the best levels of each side, with none left out between them.
 * `snapshot`: the book as deep as the exchange sends it, from REST or from the stream.
 */
export interface DepthEvent extends Stamped {
  readonly kind: 'depth'
  readonly depth_kind: 'diff' | 'partial' | 'snapshot'
  /** Null for partial books and snapshots. */
  readonly first_update_id: number | null
  readonly final_update_id: number
  /** final_update_id of the previous event, if the exchange sends it (USD-M: pu). */
  readonly prev_final_update_id: number | null
  /** The exchange sends the best level first; no code relies on the order. */
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

/** Mark price, index price and funding of a perpetual, as published about once a second. */
export interface MarkPrice extends Stamped, MarkPriceValues {
  readonly kind: 'mark_price'
}

export interface MarkPriceValues {
  readonly mark_price: number
  /** Null if the exchange did not send it. */
  readonly index_price: number | null
  readonly settle_price: number | null
  readonly funding_rate: number | null
  readonly next_funding_at: Micros | null
}

/**
 * The changed values of a mark price; the others are as in the previous event. Adapters keep no
 * state, so the writer merges the changes into whole events.
 */
export interface MarkPriceChange extends Stamped {
  readonly kind: 'mark_price_change'
  readonly changed: Partial<MarkPriceValues>
}

/** A forced order. Binance publishes at most the latest one per symbol and second. */
export interface Liquidation extends Stamped {
  readonly kind: 'liquidation'
  /** Side of the forced order, which is the taker's. */
  readonly side: 'buy' | 'sell'
  readonly price: number
  /** 0 if nothing is filled, or if the exchange does not send it. */
  readonly average_price: number
  readonly qty: number
  readonly filled_qty: number
}

/** A value of an index. `symbol` is the exchange's name for it, in lower case: btc_usd. */
export interface IndexPrice extends Stamped {
  readonly kind: 'index_price'
  readonly price: number
}

export type MarketEvent =
  | BookTicker
  | Trade
  | VoidTrade
  | DepthEvent
  | MarkPrice
  | MarkPriceChange
  | Liquidation
  | IndexPrice

const CHANNEL_OF: { readonly [kind in MarketEvent['kind']]: Channel } = {
  book_ticker: 'book_ticker',
  trade: 'trades',
  void_trade: 'trades',
  depth: 'depth_events',
  mark_price: 'mark_price',
  mark_price_change: 'mark_price',
  liquidation: 'liquidations',
  index_price: 'prices',
}

export function channelOf(event: MarketEvent): Channel {
  return CHANNEL_OF[event.kind]
}

/** Channels whose events carry an id of the exchange; the others are ordered by time alone. */
export const CHANNELS_WITH_IDS: ReadonlySet<Channel> = new Set([
  'book_ticker',
  'trades',
  'depth_events',
])

/** The order of events within a stream: the exchange's id if it sends one, else ts_exchange. */
export function orderOf(event: MarketEvent): number {
  switch (event.kind) {
    case 'book_ticker':
      return event.update_id
    case 'trade':
    case 'void_trade':
      return event.seq ?? event.agg_trade_id
    case 'depth':
      return event.final_update_id
    case 'mark_price':
    case 'mark_price_change':
    case 'liquidation':
    case 'index_price':
      return event.ts_exchange
  }
}

export const GAP_CAUSES = [
  'sequence', // ids jumped while the socket was up
  'disconnect', // the socket was down
  'restart', // the ingestor was down, or still is
  'silence', // connected and acknowledged, but nothing was delivered
  'refused', // the exchange refuses the subscription
  'rejected', // a frame could not be parsed
  'tape_full', // the tape's disk budget was used up
  'tape_cut', // recovery cut a torn or corrupt part of the tape
  'delisted', // the exchange no longer lists the symbol
  'operator', // an operator paused the recording, or chose not to record the stream
  'import', // an imported file lacks it
] as const
export type GapCause = (typeof GAP_CAUSES)[number]

/**
 * A gap in one stream: nothing is known between from_ts and to_ts. A row of marketdata.gaps. The
 * view marketdata.gap_ledger also lists gaps that are still open.
 */
export interface Gap {
  readonly exchange: Exchange
  readonly symbol: string
  readonly channel: Channel
  /**
   * ts_exchange of the last event before the gap. For a stream that was quiet then: the last time
   * at which it was known to be connected.
   */
  readonly from_ts: Micros
  /** ts_exchange of the first event after the gap. */
  readonly to_ts: Micros
  /** Last id before and first id after the gap; null if the stream has no ids. */
  readonly from_id: number | null
  readonly to_id: number | null
  readonly cause: GapCause
  readonly detected_at: Micros
}
