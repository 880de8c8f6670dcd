/**
 * The Binance exchanges that the server can act as, one at a time, because the same paths and names
 * mean different things on each. A Venue holds the differences.
 */
import { parseSocketPath, type SocketRequest } from './protocol/handshake.ts'
import { answerRest, type RestAnswer } from './protocol/rest.ts'
import type { SessionLimits } from './protocol/session.ts'
import type { WeightLimits } from './protocol/weights.ts'
import { FUTURES_STYLE, type PayloadStyle } from './sim/payloads.ts'
import type { RestSource } from './source.ts'
import { SPOT_STYLE } from './spot/payloads.ts'
import { answerSpotRest } from './spot/rest.ts'
import { parseSpotPath } from './spot/socket-path.ts'

export const VENUE_NAMES = ['binance-futures', 'binance-spot'] as const
export type VenueName = (typeof VENUE_NAMES)[number]

export interface Venue {
  readonly name: VenueName
  readonly limits: SessionLimits & WeightLimits
  /** Clients may request times in microseconds. */
  readonly has_microseconds: boolean
  /** The payload format of a simulated market. */
  readonly style: PayloadStyle
  /** Undefined if the URL is not a socket's path. */
  parseSocketPath(url: string): SocketRequest | undefined
  /** Undefined if the path does not exist. */
  answerRest(
    path: string,
    query: URLSearchParams,
    source: RestSource,
    weight_per_minute_max: number,
  ): RestAnswer | undefined
}

const COMMON = {
  streams_per_socket_max: 1_024,
  socket_life_ms: 24 * 3_600_000,
  refused_max: 10,
  ban_s: 120,
} as const

/** Limits are those of the real exchanges. */
export const VENUES: { readonly [name in VenueName]: Venue } = {
  'binance-futures': {
    name: 'binance-futures',
    limits: {
      ...COMMON,
      messages_per_second_max: 10,
      ping_interval_ms: 180_000,
      pong_limit_ms: 600_000,
      takes_any_pong: true,
      weight_per_minute_max: 2_400,
    },
    has_microseconds: false,
    style: FUTURES_STYLE,
    parseSocketPath,
    answerRest,
  },
  'binance-spot': {
    name: 'binance-spot',
    limits: {
      ...COMMON,
      messages_per_second_max: 5,
      ping_interval_ms: 20_000,
      pong_limit_ms: 60_000,
      takes_any_pong: false,
      weight_per_minute_max: 6_000,
    },
    has_microseconds: true,
    style: SPOT_STYLE,
    parseSocketPath: parseSpotPath,
    answerRest: answerSpotRest,
  },
}
