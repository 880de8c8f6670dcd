/**
 * The source of an exchange server's data: a simulated market or a recording. A source publishes
 * frames to topics (protocol/hub.ts) and answers REST requests; it knows nothing of sockets.
 */
import type { SnapshotLedger } from './ledger.ts'
import type { Topic } from './protocol/hub.ts'

export interface Source {
  /** The topics of a stream's name; none if the stream will never have frames. */
  topicsOf(stream: string): readonly Topic[]
  /**
   * The whole state that the exchange sends first on a new subscription, as of the last frame of
   * the topic. Absent for recordings, which contain it.
   */
  openingFrame?(stream: string): string | undefined
  readonly rest: RestSource
  readonly indexes: IndexSource
  /** Absent for simulations, which record no snapshots. */
  snapshots?(): SnapshotLedger
  /** Starts publishing. A replay can be started once. */
  start(): void
  status(): SourceStatus
  /** Makes every symbol publish now. Absent for recordings. */
  rollCall?(): void
  /** Throws an OperatorError if the change is not possible. Absent for recordings. */
  changeListing?(change: ListingChange): void
  /** Stops publishing. Resolves when the sockets have everything that was published. */
  stop(): Promise<void>
}

export interface SourceStatus {
  readonly source: 'sim' | 'replay'
  /** `waiting`: not started. `done`: everything was written to the sockets. */
  readonly state: 'waiting' | 'playing' | 'done' | 'failed'
  readonly frames_published: number
  /** Frames in the recordings; null for a simulation, which has no end. */
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

/** A change of a simulated listing. */
export interface ListingChange {
  readonly symbol: string
  /** `finer_tick`: a tenth of the old tick, which the exchange shows only in its listing. */
  readonly change: 'list' | 'delist' | 'finer_tick'
}

export interface DepthSnapshot {
  readonly lastUpdateId: number
  readonly E: number
  readonly T: number
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

/** With the letters of the exchange's REST response. */
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

/** Which trades: from an id, by time, or else the newest. `limit` has been checked. */
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

/** Index prices, by Deribit's names: `btc_usd`. */
export interface IndexSource {
  names(): readonly string[]
  /** Undefined if the index does not exist or has no value yet. */
  latest(name: string): IndexValue | undefined
}

/** The last 24 hours, as far as the source keeps trades. */
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
  /** Undefined if the symbol has no book. */
  depth(symbol: string, limit: number): DepthSnapshot | undefined
  /** Ascending by id. */
  aggTrades(symbol: string, query: TradeQuery): readonly AggTradeRow[]
  trades(symbol: string, query: TradeQuery): readonly TradeRow[]
  premiumIndex(symbol: string): PremiumIndexRow | undefined
  ticker24h(symbol: string): Ticker24hRow | undefined
}
