/** The messages of the live stream, as docs/live.md describes them. */
import type { Cluster } from './api.ts'

interface Stamped {
  /** ISO 8601, microseconds, UTC. */
  readonly ts_exchange: string
  readonly ts_ingest: string
}

/** Prices and quantities are the exchange's decimals, as text. */
export interface TradeRow extends Stamped {
  readonly agg_trade_id: number
  readonly price: string
  readonly qty: string
  readonly non_rpi_qty: string | null
  readonly first_trade_id: number | null
  readonly last_trade_id: number | null
  readonly is_buyer_maker: boolean
}

export interface QuoteRow extends Stamped {
  readonly update_id: number
  readonly best_bid: string | null
  readonly best_ask: string | null
  readonly bid_qty: string | null
  readonly ask_qty: string | null
  readonly spread: string | null
  readonly mid: string | null
}

export type PriceLevel = readonly [price: string, qty: string]

/** An update of the book; quantity 0 removes the level. */
export interface BookRow extends Stamped {
  readonly final_update_id: number
  readonly depth_kind: 'diff'
  readonly first_update_id: number | null
  readonly prev_final_update_id: number | null
  readonly bids: readonly PriceLevel[]
  readonly asks: readonly PriceLevel[]
}

export interface MarkPriceRow extends Stamped {
  readonly mark_price: string
  readonly index_price: string | null
  readonly settle_price: string | null
  readonly funding_rate: number | null
  readonly next_funding_at: string | null
}

export interface LiquidationRow extends Stamped {
  readonly side: 'buy' | 'sell'
  readonly price: string
  readonly qty: string
  readonly average_price: string
  readonly filled_qty: string
}

export interface GapRow {
  readonly symbol: string
  /** The table whose rows are missing. */
  readonly channel: string
  readonly from_ts: string
  readonly to_ts: string
  readonly from_id: number | null
  readonly to_id: number | null
  readonly cause: string
  readonly detected_at: string
}

/** b1_price, b1_qty … a10_qty. */
export type TopRow = Stamped & { readonly final_update_id: number } & {
  readonly [name: string]: string | number | null
}

/** A footprint bar. It replaces the one with the same `ts`. */
export type ClusterRow = Cluster

/** As /v1/signals has it. */
export interface SignalRow {
  /** When it was known. */
  readonly ts: string
  readonly id: number
  readonly kind: string
  readonly interval: '1m' | '5m' | null
  readonly bar_ts: string | null
  readonly side: 'buy' | 'sell'
  readonly price_low: string
  readonly price_high: string
  readonly strength: number
  readonly details: Readonly<Record<string, string | number>>
  readonly version: number
}

export interface RowsOf {
  readonly trades: TradeRow
  readonly quotes: QuoteRow
  readonly book: BookRow
  readonly topn: TopRow
  readonly mark_price: MarkPriceRow
  readonly liquidations: LiquidationRow
  readonly gaps: GapRow
  readonly clusters: ClusterRow
  readonly signals: SignalRow
}
export type LiveChannel = keyof RowsOf

interface OfStream<Channel extends LiveChannel> {
  readonly channel: Channel
  readonly exchange: string
  readonly symbol: string
  readonly epoch: string
  /** Ascends within the stream. */
  readonly seq: number
}

export interface RowsMessage<Channel extends LiveChannel> extends OfStream<Channel> {
  readonly type: 'rows'
  readonly rows: readonly RowsOf[Channel][]
}

export interface BookMessage extends OfStream<'book'> {
  readonly type: 'book'
  /** Seq of the update before it; null if it is not known. */
  readonly prev_seq: number | null
  /** False: updates are missing, and the book is unknown until a snapshot. Null: from history. */
  readonly synced: boolean | null
  readonly rows: readonly BookRow[]
  /** The whole book, with the rows of this message in it. */
  readonly snapshot?: {
    readonly ts_exchange: string
    readonly ts_ingest: string | null
    readonly final_update_id: number
    readonly bids: readonly PriceLevel[]
    readonly asks: readonly PriceLevel[]
  }
}

/** Messages that were left out because they were not read in time: quotes and topn only. */
export interface SkippedMessage extends OfStream<'quotes' | 'topn'> {
  readonly type: 'skipped'
  readonly skipped: { readonly from: number; readonly to: number; readonly count: number }
}

export type LiveMessage<Channel extends LiveChannel = LiveChannel> =
  | { [One in Exclude<Channel, 'book'>]: RowsMessage<One> }[Exclude<Channel, 'book'>]
  | ('book' extends Channel ? BookMessage : never)
  | SkippedMessage

/** Of the channel clusters: which bars, and when to be told of them. */
export interface ClusterOptions {
  /** 1m, 5m, 15m, 1h, 4h or 1d; 1m if it is missing. */
  readonly interval?: string
  /** Ticks of a bin; auto if it is missing. */
  readonly bin?: number | 'auto'
  /** A bar is sent when more than this was traded since it was sent last [base asset]. */
  readonly threshold?: number
}

/** From where one stream goes on. */
export interface LiveCursor {
  readonly channel: LiveChannel
  readonly exchange: string
  readonly symbol: string
  readonly epoch: string
  readonly seq: number
}

/** The live server refuses what was asked, and asking again would not help. */
export class LiveError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'LiveError'
    this.code = code
  }
}
