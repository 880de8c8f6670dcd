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
export const CHANNELS = ['book_ticker', 'trades'] as const
export type Channel = (typeof CHANNELS)[number]

interface Stamped {
  readonly exchange: Exchange
  readonly symbol: string
  /** Matching engine's time where the payload has it, else the event time, else ts_ingest. */
  readonly ts_exchange: Micros
  /** Our clock when the frame arrived. Never replaced. */
  readonly ts_ingest: Micros
}

/** Best bid and offer after one change of the book. */
export interface BookTicker extends Stamped {
  readonly kind: 'book_ticker'
  readonly update_id: number
  readonly best_bid: number
  readonly bid_qty: number
  readonly best_ask: number
  readonly ask_qty: number
}

/** A trade: aggregated by the exchange, or a single fill where raw trades are recorded. */
export interface Trade extends Stamped {
  readonly kind: 'trade'
  /** Aggregate trade id; the trade id where raw trades are recorded. Consecutive per symbol. */
  readonly agg_trade_id: number
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
}

export type MarketEvent = BookTicker | Trade | VoidTrade

export const GAP_CAUSES = [
  'sequence', // ids jumped while the socket was up
  'disconnect', // the socket was down
  'restart', // the ingestor was down
  'silence', // connected and acknowledged, but nothing was delivered
  'rejected', // a frame came that cannot be read
  'tape_full', // the tape's disk budget was used up
  'tape_cut', // recovery cut a torn or corrupt part of the tape
] as const
export type GapCause = (typeof GAP_CAUSES)[number]

/** A hole in one stream: we know nothing of (from_ts, to_ts). A row of marketdata.gaps. */
export interface Gap {
  readonly exchange: Exchange
  readonly symbol: string
  readonly channel: Channel
  /** ts_exchange of the last event before the hole. */
  readonly from_ts: Micros
  /** ts_exchange of the first event after it. */
  readonly to_ts: Micros
  /** Last id before and first id after, where the stream has ids. */
  readonly from_id: number | null
  readonly to_id: number | null
  readonly cause: GapCause
  readonly detected_at: Micros
}
