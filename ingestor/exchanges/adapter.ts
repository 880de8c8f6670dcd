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

export type Parsed =
  | { readonly kind: 'events'; readonly events: readonly MarketEvent[] }
  /** Acknowledgement, error answer, pong: no data. */
  | { readonly kind: 'control' }
  /** A well-formed frame that was not asked for, named after the exchange's stream class. */
  | { readonly kind: 'ignored'; readonly stream_class: string }
  | {
      readonly kind: 'rejected'
      readonly reason: RejectReason
      readonly detail: string
      /** The stream that lost an event with this frame, where so much of it can be read. */
      readonly spoiled?: Pick<Stream, 'symbol' | 'channel'>
    }

/** Which streams an ingestor asks for. */
export interface StreamChoice {
  readonly channels: readonly Channel[]
  /** Aggregated trades, or single fills whose id then stands in agg_trade_id. */
  readonly trade_stream: 'aggTrade' | 'trade'
}

/** One stream of the exchange and what it feeds: `btcusdt@bookTicker`. */
export interface Stream {
  readonly name: string
  readonly symbol: string
  readonly channel: Channel
}

/** Streams that may share a socket: some exchanges split stream classes over endpoints. */
export interface StreamGroup {
  /** Socket URL of the endpoint, without streams: `wss://fstream.binance.com/public/stream`. */
  readonly url: string
  readonly streams: readonly Stream[]
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
  /** Answer header that names the weight used in the running minute, lower case. */
  readonly used_weight_header: string
}

/** What a frame that belongs to no stream says about the socket that brought it. */
export type Control =
  | { readonly kind: 'ack'; readonly id: number }
  /** `id` is undefined where the error answers no request of ours. */
  | { readonly kind: 'refused'; readonly id: number | undefined; readonly detail: string }
  /** The exchange is about to end this socket. */
  | { readonly kind: 'shutdown' }

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

export interface ExchangeAdapter {
  readonly exchange: Exchange
  /** The exchange's number in tape records. Never changed, never given out again. */
  readonly tape_code: number
  readonly limits: ExchangeLimits
  readonly rest_limits: RestLimits

  groups(ws_url: string, symbols: readonly string[], choice: StreamChoice): readonly StreamGroup[]
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

  tradeHistory(choice: StreamChoice): TradeHistory

  /** Path of the listing of all instruments. */
  readonly instruments_path: string
  /** Its answer turned into instruments; an OperatorError where it is no listing. */
  parseInstruments(body: string): readonly Instrument[]
}
