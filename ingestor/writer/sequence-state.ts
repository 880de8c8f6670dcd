/**
 * The state of one stream's sequence and the plain transitions between states. sequence.ts (events)
 * and losses.ts (marks and time) decide when to take each.
 */
import type { GapCause } from '#core/market.ts'
import { type Micros, SECOND_US } from '#core/time.ts'

/** The state of a stream. Mutated in place, because this runs for every event. */
export interface StreamState {
  /** UNHEARD before the first event. */
  last_id: number
  /** Latest ts_exchange up to `last_id`; before the first event, the time of the subscription. */
  ts_exchange: Micros
  ts_ingest: Micros
  /** The last fill of event `last_id`; undefined if the exchange does not number fills. */
  last_fill: number | undefined
  /**
   * The socket that continues from `last_id`. Undefined: any. NO_SOCKET: none, until chosen again.
   */
  connection: number | undefined
  /** When recording of the stream began. Exchange time. */
  began_ts: Micros
  /**
   * Why the stream is not covered; undefined while it is covered. The next new event closes the
   * gap. Stored in the column stream_offsets.deaf_cause.
   */
  deaf_cause: GapCause | undefined
  /** Set with deaf_cause. */
  loss: Loss | undefined
  ahead: Ahead | undefined
}

/** When a stream was lost. */
export interface Loss {
  /** Exchange time up to which the stream was certainly covered. Its gap begins here. */
  readonly lost_ts: Micros
  /** When we noticed. */
  readonly lost_at: Micros
}

/** An unbroken run of events after a gap that may still be filled. */
export interface Ahead {
  readonly first_id: number
  /** The id that the first event follows; undefined if ids only grow. */
  readonly first_follows: number | undefined
  readonly first_fill: number | undefined
  readonly first_ts: Micros
  readonly seen_at: Micros
  last_id: number
  last_fill: number | undefined
  ts_exchange: Micros
  ts_ingest: Micros
  /** Undefined once its socket has closed and the state's socket continues. */
  connection: number | undefined
}

export interface SequencedEvent {
  readonly id: number
  /** Nothing is missing if the last id is at least this one; undefined if ids only grow. */
  readonly follows: number | undefined
  /** First and last id of the fills in the event, if the exchange sends them. */
  readonly fills?: { readonly first: number; readonly last: number } | undefined
  /** The event is the first of a new numbering. */
  readonly restarts_numbering?: boolean
  readonly ts_exchange: Micros
  readonly ts_ingest: Micros
  readonly connection: number
}

/** How far a socket that is being replaced may lag behind its successor. */
export const OVERLAP_US = 10 * SECOND_US

/** Less than every id. */
export const UNHEARD = -1

/** No socket has this number. It marks a stream that the operator chose not to record. */
export const NO_SOCKET = 0

/** The stream is not recorded and no event is expected. Frames that still arrive change nothing. */
export function hasEnded({ deaf_cause, connection }: StreamState): boolean {
  return deaf_cause === 'delisted' || (deaf_cause === 'operator' && connection === NO_SOCKET)
}

/** The state of a newly subscribed stream before its first event. */
export function unheardState(since: Micros): StreamState {
  return {
    last_id: UNHEARD,
    ts_exchange: since,
    ts_ingest: since,
    last_fill: undefined,
    connection: undefined,
    began_ts: since,
    deaf_cause: undefined,
    loss: undefined,
    ahead: undefined,
  }
}

/** The state after a first event with nothing missing before it. */
export function firstState(event: SequencedEvent): StreamState {
  const began_ts = event.ts_exchange
  return { ...position(event), began_ts, deaf_cause: undefined, loss: undefined, ahead: undefined }
}

export function advance(state: StreamState, event: SequencedEvent): void {
  state.last_id = event.id
  state.last_fill = event.fills?.last
  state.ts_exchange = later(state.ts_exchange, event.ts_exchange)
  state.ts_ingest = event.ts_ingest
  state.connection = event.connection
  hear(state)
}

export function hear(state: StreamState): void {
  state.deaf_cause = undefined
  state.loss = undefined
}

/**
 * The last event of a stream arrives again. Some exchanges resend the last event from time to time
 * when nothing changes. If a lost stream repeats it, nothing came in between, so there is no gap. A
 * replayed recording ends this way too.
 */
export function hearAgain(state: StreamState, event: SequencedEvent): void {
  state.ts_exchange = later(state.ts_exchange, event.ts_exchange)
  // On the same socket it is a duplicate and proves nothing about what came in between.
  if (event.connection === state.connection) return
  hear(state)
  state.connection = event.connection
}

export function aheadOf(event: SequencedEvent): Ahead {
  return {
    ...position(event),
    first_id: event.id,
    first_follows: event.follows,
    first_fill: event.fills?.first,
    first_ts: event.ts_exchange,
    seen_at: event.ts_ingest,
  }
}

export function joinAhead(state: StreamState, ahead: Ahead): void {
  state.last_id = ahead.last_id
  state.last_fill = ahead.last_fill
  state.ts_exchange = later(state.ts_exchange, ahead.ts_exchange)
  state.ts_ingest = ahead.ts_ingest
  state.connection = ahead.connection ?? state.connection
  state.ahead = undefined
}

export function newestTs(state: StreamState): Micros {
  return state.ahead === undefined
    ? state.ts_exchange
    : later(state.ts_exchange, state.ahead.ts_exchange)
}

export function later(a: Micros, b: Micros): Micros {
  return a > b ? a : b
}

export function position(event: SequencedEvent): {
  last_id: number
  last_fill: number | undefined
  ts_exchange: Micros
  ts_ingest: Micros
  connection: number
} {
  const { id: last_id, ts_exchange, ts_ingest, connection } = event
  return { last_id, last_fill: event.fills?.last, ts_exchange, ts_ingest, connection }
}
