/**
 * Only what differs between exchanges. An adapter is pure: no socket, no clock, no randomness,
 * so a file of frames is a complete test. Sockets, timers and back-off live in transport/.
 */
import type { Channel, MarketEvent } from '#core/market.ts'
import type { Exchange, Instrument } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'

/** Why a frame made no row. Constants: they are metric labels. */
export type RejectReason =
  | 'not_json'
  | 'unknown_shape' // JSON, but nothing we know
  | 'bad_field' // a known frame with a missing, wrong or impossible field
  | 'out_of_range' // a number that is not finite, negative, or past MAX_SAFE_INTEGER
  | 'bad_symbol'
  | 'too_large'
  | 'implausible_time' // an exchange time too far from arrival (core/time-source.ts)
  | 'parser_failed' // our own code threw

/** Why something was not read, and which stream lost an event with it. */
export interface Rejected {
  readonly reason: RejectReason
  readonly detail: string
  /** The stream that lost an event, where so much of it can be read. */
  readonly spoiled?: Pick<Stream, 'symbol' | 'channel'>
}

/** An element of a list that cannot be read; the others are. */
export interface OddElement extends Rejected {
  /** How many of the list's events come before it. */
  readonly events_before: number
}

export type Parsed =
  | {
      readonly kind: 'events'
      readonly events: readonly MarketEvent[]
      /** In the order of the list. */
      readonly odd?: readonly OddElement[]
    }
  /** Acknowledgement, error answer, pong: no data. */
  | { readonly kind: 'control' }
  /** A well-formed frame that was not asked for, named after the exchange's stream class. */
  | { readonly kind: 'ignored'; readonly stream_class: string }
  | ({ readonly kind: 'rejected' } & Rejected)

/** A stream of the order book: its changes, or its best levels a side again and again. */
export type DepthStream = 'diff' | 'partial5' | 'partial10' | 'partial20'

export interface DepthChoice {
  /** 'all': of every symbol that is recorded. */
  readonly symbols: 'all' | readonly string[]
  /** At most one of them partial: two would have the same identity. */
  readonly streams: readonly DepthStream[]
  /** Milliseconds between two frames of a stream; 0: every change, where the exchange has that. */
  readonly interval_ms: number
}

/** Which streams an ingestor asks for. */
export interface StreamChoice {
  readonly channels: readonly Channel[]
  /** Undefined: the changes of every symbol's book, every 100 ms. */
  readonly depth?: DepthChoice
  /** Instruments margined in coin, where the exchange mixes them with the others. */
  readonly include_coin_m?: boolean
  /** Aggregated trades, or single fills whose id then stands in agg_trade_id. */
  readonly trade_stream: 'aggTrade' | 'trade'
}

/** One stream of the exchange and what it feeds: `btcusdt@bookTicker`. */
export interface Stream {
  readonly name: string
  readonly symbol: string
  readonly channel: Channel
  /** It is known to speak at least so often; undefined where it may be quiet for any time. */
  readonly silence_s_max?: number
  /** Streams of its kind may all be quiet for many minutes. */
  readonly is_rare?: boolean
}

/** Streams that may share a socket: some exchanges split stream classes over endpoints. */
export interface StreamGroup {
  /** Socket URL of the endpoint, without streams: `wss://fstream.binance.com/public/stream`. */
  readonly url: string
  readonly streams: readonly Stream[]
  /**
   * Streams of no symbol that bring news of the exchange itself: asked for on every socket of the
   * endpoint, and not missed while they are silent.
   */
  readonly notices?: readonly string[]
}

/** What the exchange allows; transport/ keeps to it. */
export interface ExchangeLimits {
  readonly streams_per_socket_max: number
  /** Client messages (SUBSCRIBE, pong ...) per second and socket. */
  readonly messages_per_second_max: number
  readonly streams_per_subscribe_max: number
  readonly connect_attempts_per_5_min_max: number
  /** The exchange ends a socket after this long. */
  readonly socket_life_s: number
  /** The exchange pings at least this often; a socket without any traffic for longer is dead. */
  readonly ping_interval_s: number
  readonly frame_bytes_max: number
}

/** What the exchange allows its REST callers; transport/rest-client.ts keeps to it. */
export interface RestLimits {
  readonly weight_per_minute_max: number
  /** Answer header that names the weight used in the running minute; undefined where none does. */
  readonly used_weight_header: string | undefined
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Statuses that ask for a pause, beside 429 and 418. */
  readonly pause_statuses?: readonly number[]
}

/** What a frame that belongs to no stream says about the socket that brought it. */
export type Control =
  /** `accepted`: the streams that were taken, where the exchange says which; all of them else. */
  | { readonly kind: 'ack'; readonly id: number; readonly accepted?: readonly string[] }
  /**
   * `id` is undefined where the error answers no request of ours. With `is_held` something that was
   * asked for is subscribed already: a stream that was asked for alone is there.
   */
  | {
      readonly kind: 'refused'
      readonly id: number | undefined
      readonly detail: string
      readonly is_held?: boolean
    }
  /** The exchange is about to end this socket. */
  | { readonly kind: 'shutdown' }
  /** Instruments came, went or changed: the listing is worth reading again. */
  | { readonly kind: 'listing_changed' }
  /** The exchange wants this answer, at once. */
  | { readonly kind: 'reply'; readonly text: string }
  /** We asked too much, or the exchange cannot serve us now: this socket is of no more use. */
  | { readonly kind: 'turned_away'; readonly detail: string; readonly retry_after_ms: number }

/** An entry of a listing that cannot be recorded, and why. */
export interface LeftOut {
  readonly name: string
  /** A sentence's end: `its name has ...`. */
  readonly reason: string
}

export interface ParsedListing {
  readonly instruments: readonly Instrument[]
  readonly left_out: readonly LeftOut[]
}

/** How the exchange is asked for trades of the past, of the class that is recorded. */
export interface TradeHistory {
  /** The most trades that one answer holds. */
  readonly page_trades_max: number
  readonly page_weight: number
  /**
   * True: trade ids have no holes, so a missing one was not given. False: an id that is missing
   * between two ids of an answer was never a market trade.
   */
  readonly has_every_id: boolean
  /** Older trades are not given; undefined where no limit is known. */
  readonly window_s: number | undefined
  /** Trades from this id on, itself included, ascending. */
  pathFrom(symbol: string, from_id: number, limit: number): string
  /** The first trades of a span of time; undefined where only ids can be asked for. */
  readonly byTime:
    | {
        readonly span_s_max: number
        path(symbol: string, from_ms: number, to_ms: number, limit: number): string
      }
    | undefined
}

/** How the exchange is asked for its clock. */
export interface ServerTime {
  readonly path: string
  /** Milliseconds since 1970; undefined where the body is no such answer. */
  parse(body: string): number | undefined
}

export interface ExchangeAdapter {
  readonly exchange: Exchange
  /** The exchange's number in tape records. Never changed, never given out again. */
  readonly tape_code: number
  /** Where the exchange itself is; used where the configuration names nothing else. */
  readonly ws_url: string
  readonly rest_url: string
  /** What of it can be recorded. */
  readonly channels: readonly Channel[]
  /**
   * The same exchange asked for times in microseconds, where it has them. Frames do not say their
   * unit, so these have a tape code of their own.
   */
  readonly in_microseconds?: ExchangeAdapter
  /** Depth streams that it has; absent where it has all of them. */
  readonly depth_streams?: readonly DepthStream[]
  /** Speeds of depth streams that can be chosen [ms]; absent where any may be asked for. */
  readonly depth_intervals_ms?: readonly number[]
  readonly limits: ExchangeLimits
  readonly rest_limits: RestLimits

  groups(ws_url: string, symbols: readonly string[], choice: StreamChoice): readonly StreamGroup[]
  /** What is sent on every new socket before anything else. */
  readonly opening_frames: readonly string[]
  /** What is sent again and again, where the exchange wants more than the pings of the protocol. */
  readonly keepalive?: { readonly text: string; readonly interval_s: number }
  subscribeFrame(id: number, streams: readonly string[]): string
  unsubscribeFrame(id: number, streams: readonly string[]): string
  /** The stream a frame belongs to, found without parsing it; undefined for control frames. */
  streamOf(frame: Buffer): string | undefined
  /** Reads a frame that belongs to no stream we asked for; undefined where it says nothing. */
  controlOf(frame: Buffer): Control | undefined

  /** One WebSocket frame. Never throws, whatever the bytes. */
  parse(frame: Buffer, ts_ingest: Micros, choice: StreamChoice): Parsed
  /** One REST answer from the tape. Never throws. */
  parseRest(path: string, body: string, ts_ingest: Micros, choice: StreamChoice): Parsed

  /**
   * How a whole book is asked for over REST; absent where a subscription to the depth stream begins
   * with one. Then a second, short-lived subscription is how another one is asked for.
   */
  depthSnapshot?(symbol: string): { readonly path: string; readonly weight: number }

  /**
   * `loose`: trade ids do not count up (Trade has a `seq`), so nobody can tell which trades are
   * missing: holes are those of the stream's deafness, have no ids, and are not refilled. Absent:
   * ids are consecutive.
   */
  readonly trade_ids?: 'loose'
  /** Only asked for where `channels` has trades, and their ids are consecutive. */
  tradeHistory(choice: StreamChoice): TradeHistory

  readonly server_time: ServerTime

  /** Path of the listing of all instruments. */
  readonly instruments_path: string
  /** What asking for it weighs; 1 where absent. */
  readonly instruments_weight?: number
  /** Where the listing comes in pages: the path of the one after this, undefined for the last. */
  nextInstrumentsPath?(body: string): string | undefined
  /**
   * Its answer turned into instruments; an OperatorError where it is no listing. Of several pages
   * it gets a JSON list. One odd entry does not stop the recording of the others.
   */
  parseInstruments(body: string): ParsedListing

  /** Turnover of the last 24 hours by symbol, where the exchange tells it for all at once. */
  readonly turnover?: {
    readonly path: string
    readonly weight: number
    /** An OperatorError where the body is no such answer. */
    parse(body: string): ReadonlyMap<string, number>
  }
}
