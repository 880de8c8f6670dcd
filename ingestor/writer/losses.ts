/**
 * How marks and the passing of time change a stream's sequence: it is lost, carried on by another
 * socket, covered again, or ended. sequence.ts lists the invariants.
 */
import type { GapCause } from '#core/market.ts'
import { type Micros, micros } from '#core/time.ts'
import {
  closeAhead,
  heardUntil,
  HEARD_MARGIN_US,
  type GapBounds,
  gapUntil,
  NO_GAPS,
} from './gap-bounds.ts'
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
 * The stream is not covered from `lost_at` on. The first cause is kept until the gap is closed,
 * unless the stream then ends: the end becomes the cause. `heard_until`: when its socket last
 * delivered anything. `carried_by`: the socket that now carries the stream; events before its first
 * one may be missing.
 */
export function loseStream(
  state: StreamState,
  cause: GapCause,
  lost_at: Micros,
  heard_until?: Micros,
  carried_by?: number,
): readonly GapBounds[] {
  const gaps = state.ahead === undefined ? NO_GAPS : [closeAhead(state, state.ahead)]
  if (carried_by !== undefined && state.connection === carried_by) return gaps
  if (cause === 'delisted' || cause === 'operator') state.deaf_cause = cause
  if (cause === 'operator') state.connection = NO_SOCKET
  state.deaf_cause ??= cause
  state.loss ??= { lost_ts: heardUntil(state, heard_until), lost_at }
  return gaps
}

/**
 * From now on only this socket carries the stream. It was subscribed before the other one closed.
 */
export function carryOn(state: StreamState, connection: number): void {
  const { ahead } = state
  if (state.deaf_cause !== undefined) return
  if (ahead?.connection === connection && ahead.first_follows === undefined) {
    joinAhead(state, ahead)
    return
  }
  state.connection = connection
  // What the closed socket delivered stays ahead until this one reaches it.
  if (ahead !== undefined) ahead.connection = undefined
}

/**
 * The stream is subscribed. Silence from now on means that it has no events, so its gap ends.
 * `connection`: the subscribed socket; undefined on tapes of older builds.
 */
export function resumeQuiet(
  state: StreamState,
  now: Micros,
  connection: number | undefined,
): readonly GapBounds[] {
  const { deaf_cause } = state
  if (hasEnded(state)) return NO_GAPS
  if (deaf_cause === undefined) {
    if (state.last_id === UNHEARD) state.connection = connection
    return NO_GAPS
  }
  // Missed events are older than `now` by the exchange's clock. The offset between the two clocks
  // is known only as part of the last event's delay, so the whole difference counts as delay.
  const delay_us = Math.min(Math.max(0, state.ts_ingest - state.ts_exchange), HEARD_MARGIN_US)
  const passed_us = Math.max(0, now - state.ts_ingest) + delay_us
  const ts_exchange = micros(state.ts_exchange + passed_us)
  const gap = gapUntil(state, { id: state.last_id, ts_exchange, ts_ingest: now }, deaf_cause)
  hear(state)
  state.connection = connection
  return [gap]
}

/**
 * The stream is subscribed again and quiet. The exchange's history ends with trade `newest_id`
 * (null: the history is empty). If that is the last trade we received, nothing was missed.
 * Otherwise the gap ends with that trade, which was fetched with those before it and is part of the
 * gap.
 */
export function endQuiet(
  state: StreamState,
  newest_id: number | null,
  ts_exchange: Micros,
  now: Micros,
): readonly GapBounds[] {
  const { deaf_cause, last_id } = state
  const id = newest_id ?? UNHEARD
  // A history that ends before our last trade lags, or has another numbering.
  if (deaf_cause === undefined || hasEnded(state) || id < last_id) return NO_GAPS
  // A time in the future must not move the stream's time.
  const newest_ts = micros(Math.min(ts_exchange, now))
  const after = { id: id + 1, ts_exchange: newest_ts, ts_ingest: now }
  const gaps = id === last_id ? NO_GAPS : [gapUntil(state, after, deaf_cause)]
  if (id > last_id) {
    state.last_id = id
    state.last_fill = undefined
    state.ts_exchange = later(state.ts_exchange, newest_ts)
    state.ts_ingest = now
  }
  hear(state)
  state.connection = undefined
  return gaps
}

/** Closes the gap of an ended stream that is subscribed again, and starts it from scratch. */
export function reopen(state: StreamState, now: Micros): readonly GapBounds[] {
  const event = { id: state.last_id, ts_exchange: now, ts_ingest: now }
  const gap = gapUntil(state, event, 'delisted')
  Object.assign(state, unheardState(now))
  return [gap]
}

/** The operator has chosen the stream again. Its next event ends the gap. */
export function expectAgain(state: StreamState): void {
  state.connection = undefined
}

/** The tape's time has reached `now`. A gap that stayed unfilled for too long is reported. */
export function expire(state: StreamState, now: Micros): readonly GapBounds[] {
  const { ahead } = state
  if (ahead === undefined || now - ahead.seen_at < OVERLAP_US) return NO_GAPS
  return [closeAhead(state, ahead)]
}
