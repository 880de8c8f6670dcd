/**
 * What marks and the passing of time do to a stream's sequence: it is lost, carried on by another
 * socket, heard again, or ended. The invariants are those of sequence.ts.
 */
import type { GapCause } from '#core/market.ts'
import { type Micros, micros } from '#core/time.ts'
import { closeAhead, heardUntil, HEARD_MARGIN_US, type Hole, holeUntil, NO_HOLES } from './holes.ts'
import {
  hasEnded,
  hear,
  joinAhead,
  later,
  NO_SOCKET,
  OVERLAP_US,
  type StreamState,
  UNHEARD,
  unheardState,
} from './sequence-state.ts'

/**
 * Nobody listens to the stream from `lost_at` on. The first cause stands until the hole is closed,
 * unless the stream has ended: then it is why. `heard_until`: when its socket last delivered anything.
 * `carried_by`: this socket listens, and what came before its first event may be missing.
 */
export function deafen(
  state: StreamState,
  cause: GapCause,
  lost_at: Micros,
  heard_until?: Micros,
  carried_by?: number,
): readonly Hole[] {
  const holes = state.ahead === undefined ? NO_HOLES : [closeAhead(state, state.ahead)]
  if (carried_by !== undefined && state.connection === carried_by) return holes
  if (cause === 'delisted' || cause === 'operator') state.deaf_cause = cause
  if (cause === 'operator') state.connection = NO_SOCKET
  state.deaf_cause ??= cause
  state.loss ??= { lost_ts: heardUntil(state, heard_until), lost_at }
  return holes
}

/** From now on this socket alone carries the stream; it listened before the last one went. */
export function carryOn(state: StreamState, connection: number): void {
  const { ahead } = state
  if (state.deaf_cause !== undefined) return
  if (ahead?.connection === connection && ahead.first_follows === undefined) {
    joinAhead(state, ahead)
    return
  }
  state.connection = connection
  // What another socket brought before it went stays ahead until this one has come there.
  if (ahead !== undefined) ahead.connection = undefined
}

/**
 * The stream is listened to, again or at last, and has nothing to say until it has an event: its
 * hole ends. `connection`: the socket that listens; undefined on tapes of older builds.
 */
export function resumeQuiet(
  state: StreamState,
  now: Micros,
  connection: number | undefined,
): readonly Hole[] {
  const { deaf_cause } = state
  if (hasEnded(state)) return NO_HOLES
  if (deaf_cause === undefined) {
    if (state.last_id === UNHEARD) state.connection = connection
    return NO_HOLES
  }
  // What was sent to nobody is older than `now`, by the exchange's clock. How that differs from
  // ours is not known apart from the delay of the last event: both are taken for delay.
  const delay_us = Math.min(Math.max(0, state.ts_ingest - state.ts_exchange), HEARD_MARGIN_US)
  const passed_us = Math.max(0, now - state.ts_ingest) + delay_us
  const ts_exchange = micros(state.ts_exchange + passed_us)
  const hole = holeUntil(state, { id: state.last_id, ts_exchange, ts_ingest: now }, deaf_cause)
  hear(state)
  state.connection = connection
  return [hole]
}

/**
 * The stream is listened to again and stays quiet; the exchange's history ends with this trade (null:
 * it has none). Where that is the last one that was heard, nothing was missed. Otherwise the hole ends
 * with it: it was fetched with those before it, and belongs to what has to be there.
 */
export function endQuiet(
  state: StreamState,
  newest_id: number | null,
  ts_exchange: Micros,
  now: Micros,
): readonly Hole[] {
  const { deaf_cause, last_id } = state
  const id = newest_id ?? UNHEARD
  // A history that ends before our last trade is behind, or of another numbering.
  if (deaf_cause === undefined || hasEnded(state) || id < last_id) return NO_HOLES
  // A time that cannot be must not move the stream's own.
  const newest_ts = micros(Math.min(ts_exchange, now))
  const after = { id: id + 1, ts_exchange: newest_ts, ts_ingest: now }
  const holes = id === last_id ? NO_HOLES : [holeUntil(state, after, deaf_cause)]
  if (id > last_id) {
    state.last_id = id
    state.last_fill = undefined
    state.ts_exchange = later(state.ts_exchange, newest_ts)
    state.ts_ingest = now
  }
  hear(state)
  state.connection = undefined
  return holes
}

/** The hole of a stream that had ended and is listened to again; it begins anew. */
export function reopen(state: StreamState, now: Micros): readonly Hole[] {
  const event = { id: state.last_id, ts_exchange: now, ts_ingest: now }
  const hole = holeUntil(state, event, 'delisted')
  Object.assign(state, unheardState(now))
  return [hole]
}

/** A stream that the operator chose not to record is listened to again: its next event ends the hole. */
export function expectAgain(state: StreamState): void {
  state.connection = undefined
}

/** Time went on to `now` on the tape: what waits to be filled for too long is a hole. */
export function expire(state: StreamState, now: Micros): readonly Hole[] {
  const { ahead } = state
  if (ahead === undefined || now - ahead.seen_at < OVERLAP_US) return NO_HOLES
  return [closeAhead(state, ahead)]
}
