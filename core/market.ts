/**
 * The market events, a union on `kind`. An exchange's adapter makes them, the writer turns them
 * into rows. Prices and quantities are doubles; ids are checked against MAX_SAFE_INTEGER when
 * parsed, so there is no bigint on the hot path.
 */
import type { Exchange } from './symbols.ts'
import type { Micros } from './time.ts'

/**
 * What a stream feeds, named after its table: one stream of a symbol is (exchange, symbol, channel).
 * Raw trades and aggregated trades are both `trades`: an ingestor takes one of them.
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
  /** Matching engine's time where the payload has it, else the event time, else ts_ingest. */
  readonly ts_exchange: Micros
  /** Our clock when the frame arrived. Never replaced. */
  readonly ts_ingest: Micros
}

/**
 * Best bid and offer after one change of the book. A side is empty where its price or its quantity
 * is 0 or absent; then both are null, whatever the other one says.
 */
export interface BookTicker extends Stamped {
  readonly kind: 'book_ticker'
  readonly update_id: number
  readonly best_bid: number | null
  readonly bid_qty: number | null
  readonly best_ask: number | null
  readonly ask_qty: number | null
}

/** A trade: aggregated by the exchange, or a single fill where raw trades are recorded. */
export interface Trade extends Stamped {
  readonly kind: 'trade'
  /**
   * Aggregate trade id; the trade id where raw trades are recorded. Consecutive per symbol, unless
   * there is a `seq`: then it only tells the trades of one moment apart.
   */
  readonly agg_trade_id: number
  /**
   * The exchange's sequence, where its trade ids do not count (Bybit: UUIDs): it only grows, and
   * several trades may share it. Absent where agg_trade_id is the sequence.
   */
  readonly seq?: number
  readonly price: number
  /** Base-asset quantity, retail price improvement (RPI) fills included. */
  readonly qty: number
  /** The quantity without RPI fills; null where the exchange did not say (before 2026). */
  readonly non_rpi_qty: number | null
  readonly first_trade_id: number | null
  readonly last_trade_id: number | null
  /** True: the taker sold. */
  readonly is_buyer_maker: boolean
}

/**
 * An id the exchange used for something that is not a market trade (insurance fund, ADL).
 * It is no row, but it keeps the trade sequence unbroken.
 */
export interface VoidTrade extends Stamped {
  readonly kind: 'void_trade'
  readonly agg_trade_id: number
  /** As in Trade. */
  readonly seq?: number
}

/** Price and quantity; quantity 0 in a diff takes the level away. */
export type Level = readonly [price: number, qty: number]

/**
 * A change of the book, or a whole book. `diff`: levels that changed between first_update_id and
 * final_update_id. `partial`: the best levels of one side each, complete as far as they go.
 * `snapshot`: the whole book, as far down as the exchange gives it, from REST or from the stream.
 */
export interface DepthEvent extends Stamped {
  readonly kind: 'depth'
  readonly depth_kind: 'diff' | 'partial' | 'snapshot'
  /** Null for partial books and snapshots. */
  readonly first_update_id: number | null
  readonly final_update_id: number
  /** final_update_id of the event before, where the exchange says it (USD-M: pu). */
  readonly prev_final_update_id: number | null
  /** Best first as the exchange sends them; order is not relied on. */
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

/** Mark price, index price and funding of a perpetual, as published about once a second. */
export interface MarkPrice extends Stamped, MarkPriceValues {
  readonly kind: 'mark_price'
}

export interface MarkPriceValues {
  readonly mark_price: number
  /** Null where the exchange did not say. */
  readonly index_price: number | null
  readonly settle_price: number | null
  readonly funding_rate: number | null
  readonly next_funding_at: Micros | null
}

/**
 * What changed of a mark price: the other values are those of the event before it. The writer
 * makes whole ones of them, since an adapter remembers nothing.
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
  /** 0 where nothing is filled, or where the exchange does not say. */
  readonly average_price: number
  readonly qty: number
  readonly filled_qty: number
}

/** A value of an index. `symbol` is its name at the exchange, in its own lower case: btc_usd. */
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

/** The channel of the stream that brings such events. */
export function channelOf(event: MarketEvent): Channel {
  return CHANNEL_OF[event.kind]
}

/** Channels whose events have ids of the exchange's; the others are ordered by time alone. */
export const CHANNELS_WITH_IDS: ReadonlySet<Channel> = new Set([
  'book_ticker',
  'trades',
  'depth_events',
])

/** What orders the events of a stream: the exchange's id where it gives one, else ts_exchange. */
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
  'restart', // the ingestor was down, or is
  'silence', // connected and acknowledged, but nothing was delivered
  'refused', // the exchange refuses the subscription
  'rejected', // a frame came that cannot be read
  'tape_full', // the tape's disk budget was used up
  'tape_cut', // recovery cut a torn or corrupt part of the tape
  'delisted', // the exchange no longer lists the symbol
  'operator', // an operator paused the recording, or chose not to record the stream
] as const
export type GapCause = (typeof GAP_CAUSES)[number]

/**
 * A hole in one stream: we know nothing of (from_ts, to_ts). A row of marketdata.gaps. A hole that
 * has not ended yet is in the view marketdata.gap_ledger, beside all others.
 */
export interface Gap {
  readonly exchange: Exchange
  readonly symbol: string
  readonly channel: Channel
  /**
   * ts_exchange of the last event before the hole; of a stream that was quiet then, up to when it
   * was certainly heard.
   */
  readonly from_ts: Micros
  /** ts_exchange of the first event after it. */
  readonly to_ts: Micros
  /** Last id before and first id after, where the stream has ids. */
  readonly from_id: number | null
  readonly to_id: number | null
  readonly cause: GapCause
  readonly detected_at: Micros
}
