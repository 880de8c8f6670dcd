/**
 * Where ts_exchange comes from: a fact of every exchange and kind of event. Users see it with the
 * symbols and in manifests; the writer needs it, because a receive time is no part of what the
 * exchange says: the same event has another one on every socket.
 */
import type { MarketEvent } from './market.ts'
import type { Exchange } from './symbols.ts'
import { DAY_US, SECOND_US } from './time.ts'

const MINUTE_US = 60 * SECOND_US

export const TIME_SOURCES = [
  'engine', // when the matching engine made the change
  'event', // when the exchange sent the event
  'receive', // when it arrived here: the exchange says no time
  'stream', // when it arrived, by the clock that the stream of its changes shows
] as const
export type TimeSource = (typeof TIME_SOURCES)[number]

/** The unit of an exchange's own times, where it lets us choose. */
export const TIME_UNITS = ['millisecond', 'microsecond'] as const
export type TimeUnit = (typeof TIME_UNITS)[number]

/** Channels, with the three kinds of depth_events apart. */
export const TIMED_KINDS = [
  'book_ticker',
  'trades',
  'depth_diff',
  'depth_partial',
  'depth_snapshot',
  'mark_price',
  'liquidations',
  'prices',
] as const
export type TimedKind = (typeof TIMED_KINDS)[number]

export type TimeSources = { readonly [kind in TimedKind]?: TimeSource }

/** A kind that an exchange does not bring is absent. */
const SOURCES: { readonly [exchange in Exchange]: TimeSources } = {
  'binance-futures': {
    book_ticker: 'engine',
    trades: 'engine',
    depth_diff: 'engine',
    depth_partial: 'engine',
    depth_snapshot: 'engine',
    mark_price: 'event',
    liquidations: 'engine',
  },
  'binance-spot': {
    book_ticker: 'receive',
    trades: 'engine',
    depth_diff: 'event',
    depth_partial: 'receive',
    depth_snapshot: 'stream',
  },
  deribit: { prices: 'event' },
  'bybit-linear': {
    book_ticker: 'engine',
    trades: 'engine',
    depth_diff: 'engine',
    depth_snapshot: 'engine',
    mark_price: 'event',
    liquidations: 'engine',
  },
}

export interface TimeLimits {
  /** So far may an exchange time lie after its arrival: two clocks differ by minutes at most. */
  readonly ahead_us: number
  /** So far may it lie before: an exchange that is behind, and events that waited in a socket. */
  readonly behind_us: number
  /**
   * The same for what shows a whole state, whose time is that of its last change: a market may have
   * rested for days.
   */
  readonly state_behind_us: number
}

const USUAL_LIMITS: TimeLimits = {
  ahead_us: 5 * MINUTE_US,
  behind_us: DAY_US,
  state_behind_us: 14 * DAY_US,
}

/** What ts_exchange is judged by against arrival; see ingestor/writer/plausible-times.ts. */
export const TIME_LIMITS: { readonly [exchange in Exchange]: TimeLimits } = {
  'binance-futures': USUAL_LIMITS,
  'binance-spot': USUAL_LIMITS,
  deribit: USUAL_LIMITS,
  'bybit-linear': USUAL_LIMITS,
}

/** In a replay over sockets a pause of the recording is no pause of arrivals. */
export const REPLAYED_AHEAD_US = 60 * MINUTE_US

/** Its time is that of the last change of what it shows, however long ago. */
export function isWholeState(event: MarketEvent): boolean {
  if (event.kind === 'depth') return event.depth_kind !== 'diff'
  // Bybit shows the best quote as it is when a subscription begins.
  return event.kind === 'book_ticker' && event.exchange === 'bybit-linear'
}

export function timeSourcesOf(exchange: Exchange): TimeSources {
  return SOURCES[exchange]
}

/** Undefined where the exchange is not known to bring such events. */
export function timeSourceOf(event: MarketEvent): TimeSource | undefined {
  return SOURCES[event.exchange][timedKindOf(event)]
}

function timedKindOf(event: MarketEvent): TimedKind {
  switch (event.kind) {
    case 'book_ticker':
      return 'book_ticker'
    case 'trade':
    case 'void_trade':
      return 'trades'
    case 'depth':
      return `depth_${event.depth_kind}`
    case 'mark_price':
    case 'mark_price_change':
      return 'mark_price'
    case 'liquidation':
      return 'liquidations'
    case 'index_price':
      return 'prices'
  }
}
