/**
 * What stands behind the exchange server: a simulated market or a recording. A source publishes
 * frames to topics (protocol/hub.ts) and answers the REST questions; it knows no socket.
 */
import type { SnapshotLedger } from './ledger.ts'
import type { Topic } from './protocol/hub.ts'

export interface Source {
  /** The topics that a stream's name asks for; none where nothing will ever come. */
  topicsOf(stream: string): readonly Topic[]
  /**
   * The whole state that a new subscription begins with, as of the last frame of its topic, where
   * the exchange sends that. Absent where it stands in the recording.
   */
  openingFrame?(stream: string): string | undefined
  readonly rest: RestSource
  readonly indexes: IndexSource
  /** Absent where snapshots are made and not recorded. */
  snapshots?(): SnapshotLedger
  /** Begins to publish. A replay may be started once. */
  start(): void
  status(): SourceStatus
  /** Every symbol has news at once. Absent where the news are given. */
  rollCall?(): void
  /** Throws an OperatorError where it cannot be. Absent where the listing is given. */
  changeListing?(change: ListingChange): void
  /** Publishes nothing any more; settles when everything published was handed to the sockets. */
  stop(): Promise<void>
}

export interface SourceStatus {
  readonly source: 'sim' | 'replay'
  /** `waiting`: not started. `done`: everything was handed to the sockets and flushed. */
  readonly state: 'waiting' | 'playing' | 'done' | 'failed'
  readonly frames_published: number
  /** Frames the recordings hold; null for a simulation, which has no end. */
  readonly frames_total: number | null
  readonly error: string | null
}

/** Price and quantity as the exchange's exact decimal text. */
export type Level = readonly [price: string, qty: string]

export interface ListedMarket {
  readonly symbol: string
  readonly base_asset: string
  readonly quote_asset: string
  readonly price_decimals: number
  readonly qty_decimals: number
  /** Decimal text, with price_decimals digits. */
  readonly tick_size: string
  readonly step_size: string
  /** False once it is delisted. */
  readonly is_trading: boolean
}

/** What can happen to a simulated listing. */
export interface ListingChange {
  readonly symbol: string
  /** `finer_tick`: a tenth of the tick, of which the exchange says nothing but in its listing. */
  readonly change: 'list' | 'delist' | 'finer_tick'
}

export interface DepthSnapshot {
  readonly lastUpdateId: number
  readonly E: number
  readonly T: number
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

/** With the exchange's own letters, as its REST answer has them. */
export interface AggTradeRow {
  readonly a: number
  readonly p: string
  readonly q: string
  readonly nq?: string
  readonly f: number
  readonly l: number
  readonly T: number
  readonly m: boolean
}

export interface TradeRow {
  readonly id: number
  readonly price: string
  readonly qty: string
  readonly quoteQty: string
  readonly time: number
  readonly isBuyerMaker: boolean
}

/** Which trades: from an id on, or by time, else the newest. `limit` is already checked. */
export interface TradeQuery {
  readonly from_id: number | undefined
  readonly from_ms: number | undefined
  readonly to_ms: number | undefined
  readonly limit: number
}

export interface PremiumIndexRow {
  readonly symbol: string
  readonly markPrice: string
  readonly indexPrice: string
  readonly estimatedSettlePrice: string
  readonly lastFundingRate: string
  readonly nextFundingTime: number
  readonly time: number
}

export interface IndexValue {
  readonly price: number
  readonly ts_ms: number
}

/** Price indexes, as Deribit names them: `btc_usd`. */
export interface IndexSource {
  names(): readonly string[]
  /** Undefined where there is no such index, or no value of it yet. */
  latest(name: string): IndexValue | undefined
}

/** Of the last 24 hours, as far as the source remembers them. */
export interface Ticker24hRow {
  readonly symbol: string
  readonly lastPrice: string
  readonly volume: string
  readonly quoteVolume: string
  readonly openTime: number
  readonly closeTime: number
  readonly count: number
}

export interface RestSource {
  /** The exchange's clock, in milliseconds. */
  nowMs(): number
  listings(): readonly ListedMarket[]
  /** Undefined where the symbol is known but has no book. */
  depth(symbol: string, limit: number): DepthSnapshot | undefined
  /** Ascending by id. */
  aggTrades(symbol: string, query: TradeQuery): readonly AggTradeRow[]
  trades(symbol: string, query: TradeQuery): readonly TradeRow[]
  premiumIndex(symbol: string): PremiumIndexRow | undefined
  ticker24h(symbol: string): Ticker24hRow | undefined
}
