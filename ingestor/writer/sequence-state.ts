/**
 * What is known of one stream's sequence, and the plain steps from one such state to the next. When
 * which of them is taken is decided in sequence.ts (by events) and deafness.ts (by marks and time).
 */
import type { GapCause } from '#core/market.ts'
import { type Micros, SECOND_US } from '#core/time.ts'

/** What is known of a stream; mutated in place, since this runs for every event. */
export interface StreamState {
  /** UNHEARD before the first event. */
  last_id: number
  /** Latest ts_exchange up to `last_id`; before the first event, when we began to listen. */
  ts_exchange: Micros
  ts_ingest: Micros
  /** The last fill in the event that `last_id` is of; undefined where the exchange names none. */
  last_fill: number | undefined
  /** The socket that carries on from `last_id`; undefined: any; NO_SOCKET: none, until further notice. */
  connection: number | undefined
  /** From when on the stream is recorded, apart from its holes. Exchange time. */
  began_ts: Micros
  /** Set while nobody listens: why. The next new event closes the hole. */
  deaf_cause: GapCause | undefined
  /** Set with deaf_cause. */
  loss: Loss | undefined
  ahead: Ahead | undefined
}

/** When a stream was lost. */
export interface Loss {
  /** Exchange time up to which it was certainly heard: where its hole begins. */
  readonly lost_ts: Micros
  /** When we noticed. */
  readonly lost_at: Micros
}

/** An unbroken run of events beyond a hole that may still be filled. */
export interface Ahead {
  readonly first_id: number
  /** What the first of them follows; undefined where ids only grow. */
  readonly first_follows: number | undefined
  readonly first_fill: number | undefined
  readonly first_ts: Micros
  readonly seen_at: Micros
  last_id: number
  last_fill: number | undefined
  ts_exchange: Micros
  ts_ingest: Micros
  /** Undefined once its socket has gone, and that of the state goes on. */
  connection: number | undefined
}

export interface SequencedEvent {
  readonly id: number
  /** Nothing is missing where the last id is this one or larger; undefined where ids only grow. */
  readonly follows: number | undefined
  /** First and last id of the fills that it sums up, where the exchange says them. */
  readonly fills?: { readonly first: number; readonly last: number } | undefined
  /** It is the first of a new numbering. */
  readonly begins_anew?: boolean
  readonly ts_exchange: Micros
  readonly ts_ingest: Micros
  readonly connection: number
}

/** How long a socket that is being replaced may lag behind its successor. */
export const OVERLAP_US = 10 * SECOND_US

/** Less than every id. */
export const UNHEARD = -1

/** No socket has this number: the operator chose that nobody listens. */
export const NO_SOCKET = 0

/** Nobody listens, and no event is expected. Frames that still come change nothing. */
export function hasEnded({ deaf_cause, connection }: StreamState): boolean {
  return deaf_cause === 'delisted' || (deaf_cause === 'operator' && connection === NO_SOCKET)
}

/** The state of a stream that we have begun to listen to, and that never spoke yet. */
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

/** The state after an event before which nothing can be missing. */
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
 * The last event of a stream once more. Where nothing changes some exchanges say it again from time
 * to time. After the stream was lost it means that who listens now has listened since before it, so
 * there is no hole up to here; a recording that is played again ends like that.
 */
export function hearAgain(state: StreamState, event: SequencedEvent): void {
  state.ts_exchange = later(state.ts_exchange, event.ts_exchange)
  // On the socket that brought it before it is a duplicate, and says nothing of what came between.
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
  return state.ahead === undefined ? state.ts_exchange : later(state.ts_exchange, state.ahead.ts_exchange)
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
