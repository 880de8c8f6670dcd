/**
 * Only what differs between exchanges. An adapter is pure: no socket, no clock, no randomness,
 * so a file of frames is a complete test. Sockets, timers and back-off live in transport/.
 */
import type { Channel, MarketEvent } from '#core/market.ts'
import type { Exchange, Instrument } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'

/** Why a frame gave no row. Constants, because they are metric labels. */
export type RejectReason =
  | 'not_json'
  | 'unknown_shape' // JSON of an unknown shape
  | 'bad_field' // a known frame with a missing, wrong or impossible field
  | 'out_of_range' // a number that is not finite, negative, or past MAX_SAFE_INTEGER
  | 'bad_symbol'
  | 'too_large'
  | 'implausible_time' // an exchange time too far from arrival (core/time-source.ts)
  | 'parser_failed' // our own code threw

/** Why something could not be read, and which stream lost an event. */
export interface Rejected {
  readonly reason: RejectReason
  readonly detail: string
  /** The stream that lost an event, if it can be identified. */
  readonly affected?: Pick<Stream, 'symbol' | 'channel'>
}

/** An unreadable element of a list whose other elements are readable. */
export interface OddElement extends Rejected {
  /** Number of the list's events before it. */
  readonly events_before: number
}

export type Parsed =
  | {
      readonly kind: 'events'
      readonly events: readonly MarketEvent[]
      /** In list order. */
      readonly odd?: readonly OddElement[]
    }
  /** Acknowledgement, error answer, pong: no data. */
  | { readonly kind: 'control' }
  /** A well-formed frame of a class that is not recorded, by the exchange's name for the class. */
  | { readonly kind: 'ignored'; readonly stream_class: string }
  | ({ readonly kind: 'rejected' } & Rejected)

/** A stream of the order book: its diffs, or its best levels on each side, repeatedly. */
export type DepthStream = 'diff' | 'partial5' | 'partial10' | 'partial20'

export interface DepthChoice {
  /** 'all': every recorded symbol. */
  readonly symbols: 'all' | readonly string[]
  /** At most one is partial, because two would have the same key. */
  readonly streams: readonly DepthStream[]
  /** Milliseconds between two frames of a stream; 0: every change, if the exchange offers it. */
  readonly interval_ms: number
}

/** Which streams an ingestor records. */
export interface StreamChoice {
  readonly channels: readonly Channel[]
  /** Undefined: diffs of every symbol's book, every 100 ms. */
  readonly depth?: DepthChoice
  /** True: coin-margined instruments too, if the exchange mixes them with the others. */
  readonly include_coin_m?: boolean
  /** Aggregated trades, or single fills. The id of a fill is stored in agg_trade_id. */
  readonly trade_stream: 'aggTrade' | 'trade'
}

/** One stream of the exchange, like `btcusdt@bookTicker`, and the channel that it feeds. */
export interface Stream {
  readonly name: string
  readonly symbol: string
  readonly channel: Channel
  /** It delivers at least once in this many seconds; undefined if it may be quiet for any time. */
  readonly silence_s_max?: number
  /** All streams of its kind may be quiet for many minutes. */
  readonly is_rare?: boolean
}

/** Streams that may share a socket: some exchanges split stream classes over endpoints. */
export interface StreamGroup {
  /** Socket URL of the endpoint, without streams: `wss://fstream.binance.com/public/stream`. */
  readonly url: string
  readonly streams: readonly Stream[]
  /**
   * Streams without a symbol that carry announcements of the exchange. They are subscribed on every
   * socket of the endpoint, and their silence is never an alarm.
   */
  readonly notices?: readonly string[]
}

/** Limits of the exchange's sockets, which transport/ obeys. */
export interface ExchangeLimits {
  readonly streams_per_socket_max: number
  /** Client messages (SUBSCRIBE, pong ...) per second and socket. */
  readonly messages_per_second_max: number
  readonly streams_per_subscribe_max: number
  readonly connect_attempts_per_5_min_max: number
  /** The exchange closes a socket after this time. */
  readonly socket_life_s: number
  /** The exchange pings at least this often. A socket without traffic for longer is dead. */
  readonly ping_interval_s: number
  readonly frame_bytes_max: number
}

/** Limits of the exchange's REST API, which transport/rest-client.ts obeys. */
export interface RestLimits {
  readonly weight_per_minute_max: number
  /** Response header with the weight used in the current minute; undefined if there is none. */
  readonly used_weight_header: string | undefined
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Statuses that require a pause, besides 429 and 418. */
  readonly pause_statuses?: readonly number[]
}

/** What a frame outside any stream means for its socket. */
export type Control =
  /** `accepted`: the accepted streams, if the exchange lists them; otherwise all were accepted. */
  | { readonly kind: 'ack'; readonly id: number; readonly accepted?: readonly string[] }
  /**
   * `id` is undefined if the error does not answer a request of ours. `is_held`: something
   * requested is already subscribed. A stream that was requested alone is then subscribed.
   */
  | {
      readonly kind: 'refused'
      readonly id: number | undefined
      readonly detail: string
      readonly is_held?: boolean
    }
  /** The exchange is about to end this socket. */
  | { readonly kind: 'shutdown' }
  /** Instruments were added, removed or changed: read the listing again. */
  | { readonly kind: 'listing_changed' }
  /** The exchange wants this answer at once. */
  | { readonly kind: 'reply'; readonly text: string }
  /** The exchange throttles us or cannot serve us now: this socket is useless. */
  | { readonly kind: 'turned_away'; readonly detail: string; readonly retry_after_ms: number }

/** An entry of a listing that cannot be recorded, and why. */
export interface LeftOut {
  readonly name: string
  /** Follows the name in a message: `its name has ...`. */
  readonly reason: string
}

export interface ParsedListing {
  readonly instruments: readonly Instrument[]
  readonly left_out: readonly LeftOut[]
}

/** How to request past trades of the recorded class. */
export interface TradeHistory {
  /** Maximum number of trades in one answer. */
  readonly page_trades_max: number
  readonly page_weight: number
  /**
   * True: the exchange returns every trade id, so a missing id is a missing trade. False: an id
   * that is missing between two ids of an answer was never a market trade.
   */
  readonly has_every_id: boolean
  /** Older trades are not returned; undefined if no limit is known. */
  readonly window_s: number | undefined
  /** Path for trades from `from_id` on, inclusive, ascending. */
  pathFrom(symbol: string, from_id: number, limit: number): string
  /**
   * Path for the first trades of a span of time; undefined if trades can only be requested by id.
   */
  readonly byTime:
    | {
        readonly span_s_max: number
        path(symbol: string, from_ms: number, to_ms: number, limit: number): string
      }
    | undefined
}

/** How to request the exchange's clock. */
export interface ServerTime {
  readonly path: string
  /** Milliseconds since 1970; undefined if the body is something else. */
  parse(body: string): number | undefined
}

export interface ExchangeAdapter {
  readonly exchange: Exchange
  /** The exchange's number in tape records. Never changed and never reused. */
  readonly tape_code: number
  /** The exchange's address, unless the configuration names another. */
  readonly ws_url: string
  readonly rest_url: string
  /** The channels that can be recorded. */
  readonly channels: readonly Channel[]
  /**
   * The same exchange with times in microseconds, if it offers them. Frames do not carry their
   * unit, so this variant has a separate tape code.
   */
  readonly in_microseconds?: ExchangeAdapter
  /** Depth streams that the exchange has; absent: all. */
  readonly depth_streams?: readonly DepthStream[]
  /** Intervals of depth streams that can be chosen [ms]; absent: any. */
  readonly depth_intervals_ms?: readonly number[]
  readonly limits: ExchangeLimits
  readonly rest_limits: RestLimits

  groups(ws_url: string, symbols: readonly string[], choice: StreamChoice): readonly StreamGroup[]
  /** Frames to send first on every new socket. */
  readonly opening_frames: readonly string[]
  /** A frame to send at intervals, if the exchange wants more than the pings of the protocol. */
  readonly keepalive?: { readonly text: string; readonly interval_s: number }
  subscribeFrame(id: number, streams: readonly string[]): string
  unsubscribeFrame(id: number, streams: readonly string[]): string
  /** The stream of a frame, found without parsing the frame; undefined for control frames. */
  streamOf(frame: Buffer): string | undefined
  /** Reads a frame outside our streams; undefined if it has no meaning for the socket. */
  controlOf(frame: Buffer): Control | undefined

  /** Parses one WebSocket frame. Never throws, whatever the bytes. */
  parse(frame: Buffer, ts_ingest: Micros, choice: StreamChoice): Parsed
  /** Parses one REST answer from the tape. Never throws. */
  parseRest(path: string, body: string, ts_ingest: Micros, choice: StreamChoice): Parsed

  /**
   * How to request a snapshot over REST. Absent if a subscription to the depth stream begins with a
   * snapshot; a second, short-lived subscription then gives another one.
   */
  depthSnapshot?(symbol: string): { readonly path: string; readonly weight: number }

  /**
   * `loose`: trade ids do not count up (Trade has a `seq`), so they cannot show which trades are
   * missing. Gaps then come only from losses of the stream, have no ids, and are not refilled.
   * Absent: ids are consecutive.
   */
  readonly trade_ids?: 'loose'
  /** Only called if `channels` includes trades and their ids are consecutive. */
  tradeHistory(choice: StreamChoice): TradeHistory

  readonly server_time: ServerTime

  /** Path of the listing of all instruments. */
  readonly instruments_path: string
  /** REST weight of the listing; absent: 1. */
  readonly instruments_weight?: number
  /** For listings in pages: the path of the next page, undefined for the last. */
  nextInstrumentsPath?(body: string): string | undefined
  /**
   * Parses the listing's answer into instruments. Throws an OperatorError if it is not a listing.
   * Several pages are passed as a JSON list. An invalid entry does not stop the others.
   */
  parseInstruments(body: string): ParsedListing

  /**
   * Turnover of the last 24 hours by symbol, if the exchange returns it for all symbols at once.
   */
  readonly turnover?: {
    readonly path: string
    readonly weight: number
    /** Throws an OperatorError if the body is something else. */
    parse(body: string): ReadonlyMap<string, number>
  }
}
