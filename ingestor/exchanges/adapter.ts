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
  /** A well-formed frame of a stream that was not asked for, named after the exchange's stream class. */
  | { readonly kind: 'ignored'; readonly stream_class: string }
  | { readonly kind: 'rejected'; readonly reason: RejectReason; readonly detail: string }

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

export interface ExchangeAdapter {
  readonly exchange: Exchange
  /** The exchange's number in tape records. Never changed, never given out again. */
  readonly tape_code: number
  readonly limits: ExchangeLimits

  groups(ws_url: string, symbols: readonly string[], choice: StreamChoice): readonly StreamGroup[]
  subscribeFrame(id: number, streams: readonly string[]): string
  unsubscribeFrame(id: number, streams: readonly string[]): string
  /** The stream a frame belongs to, found without parsing it; undefined for control frames. */
  streamOf(frame: Buffer): string | undefined

  /** One WebSocket frame. Never throws, whatever the bytes. */
  parse(frame: Buffer, ts_ingest: Micros, choice: StreamChoice): Parsed
  /** One REST answer from the tape. Never throws. */
  parseRest(path: string, body: string, ts_ingest: Micros, choice: StreamChoice): Parsed

  /** Path of the listing of all instruments, and its answer turned into instruments. */
  readonly instruments_path: string
  parseInstruments(body: string): readonly Instrument[]
}
