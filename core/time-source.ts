/**
 * The source of ts_exchange, for each exchange and kind of event. Users see it with the symbols and
 * in manifests. The writer needs it because a receive time is not part of the event: the same event
 * has a different one on every socket.
 */
import type { MarketEvent } from './market.ts'
import type { Exchange } from './symbols.ts'
import { DAY_US, SECOND_US } from './time.ts'

const MINUTE_US = 60 * SECOND_US

export const TIME_SOURCES = [
  'engine', // when the matching engine made the change
  'event', // when the exchange sent the event
  'receive', // when it arrived here: the exchange sends no time
  'stream', // when it arrived, read from the event times of its diff stream
] as const
export type TimeSource = (typeof TIME_SOURCES)[number]

/** The unit of an exchange's times, for exchanges that let clients choose. */
export const TIME_UNITS = ['millisecond', 'microsecond'] as const
export type TimeUnit = (typeof TIME_UNITS)[number]

/** The channels, with depth_events split into its three kinds. */
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

/** A kind is absent if the exchange does not send it. */
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
  /** How far ts_exchange may be after arrival: two clocks differ by minutes at most. */
  readonly ahead_us: number
  /** How far it may be before arrival: a delayed exchange, or events that waited in a socket. */
  readonly behind_us: number
  /**
   * The same for an event that shows a whole state: it carries the time of the last change, and a
   * market may have been closed for days.
   */
  readonly state_behind_us: number
}

const USUAL_LIMITS: TimeLimits = {
  ahead_us: 5 * MINUTE_US,
  behind_us: DAY_US,
  state_behind_us: 14 * DAY_US,
}

/** Limits on ts_exchange relative to arrival; see ingestor/writer/plausible-times.ts. */
export const TIME_LIMITS: { readonly [exchange in Exchange]: TimeLimits } = {
  'binance-futures': USUAL_LIMITS,
  'binance-spot': USUAL_LIMITS,
  deribit: USUAL_LIMITS,
  'bybit-linear': USUAL_LIMITS,
}

/** A replay over sockets may be faster than real time, so event times run ahead of arrivals. */
export const REPLAYED_AHEAD_US = 60 * MINUTE_US

/** Whether the event shows a whole state and carries the time of its last change. */
export function isWholeState(event: MarketEvent): boolean {
  if (event.kind === 'depth') return event.depth_kind !== 'diff'
  // Bybit sends the current best quote when a subscription begins.
  return event.kind === 'book_ticker' && event.exchange === 'bybit-linear'
}

export function timeSourcesOf(exchange: Exchange): TimeSources {
  return SOURCES[exchange]
}

/** Undefined if the exchange is not known to send such events. */
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
