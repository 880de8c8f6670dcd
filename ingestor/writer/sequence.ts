/**
 * Finds the holes in one stream from nothing but its events, in the order of the tape: no clock,
 * no I/O, so the same tape gives the same gaps. What an event's row does is not its matter: late
 * and repeated ones go to the tables as well, where the primary key decides.
 *
 * Invariants
 * 1. `last_id` is the newest id with nothing missing before it that is not in a reported hole.
 * 2. Some events say which id they follow: a trade the id before its own, a change of the book
 *    the last update of the change before (`pu`, or `U` less one). Where that id is beyond
 *    `last_id` something is missing: on the socket that brought `last_id`, or after the stream was
 *    deaf, a hole at once. Where it is not, nothing is, whatever was deaf in between.
 * 3. A jump on another socket is none yet: while a socket is being renewed the old one may still
 *    bring what is between. It waits as `ahead` until filled, passed by the old socket, or
 *    OVERLAP_US old. A restart forgets `ahead` and so sees a hole that may be too large, never
 *    one too small.
 * 4. Ids of quotes, partial books, and times that stand for ids only grow; a jump says nothing.
 *    Holes of such streams are those of their deafness, unless `last_id` itself is heard again
 *    after it. What comes on another socket waits as `ahead` too, until the socket before it has
 *    come to the same event or is known to have lived until then (`carryOn`): a socket that died
 *    before its successor was subscribed leaves a hole that no id shows.
 * 5. An id that fell while time went on by more than OVERLAP_US is a new numbering (the exchange
 *    listed the symbol anew): the old one ends in a hole, since nobody knows what came between.
 *    One that says itself that it begins a numbering is believed at once, if nothing newer was seen.
 * 6. Where the exchange says which fills an event holds, they decide before its id does: an event
 *    whose first fill is the one after the newest fill misses nothing, though its id repeats or
 *    skips. Fills that jump while ids do not are no hole: exchanges leave fills out that are no
 *    market trades.
 * 7. A stream that was listened to and lost before it ever spoke has a hole too. It begins when
 *    we began to listen and has no first id.
 * 8. A hole begins with the last event, or later: a stream that was quiet before it was lost was
 *    heard all the same. It was heard up to when its socket last delivered anything, less
 *    HEARD_MARGIN_US for what was under way.
 * 9. A stream that was delisted, or that the operator chose not to record, has ended. Frames that
 *    still come change nothing. When a delisted one is listened to again it is a new stream: nobody
 *    knows whether its ids go on from the old ones. The operator's hole ends with the next event.
 *
 * Marks and the passing of time change a stream too: deafness.ts. Where holes lie: holes.ts.
 */
import { micros } from '#core/time.ts'
import { closeAhead, type Hole, holeUntil, NO_HOLES } from './holes.ts'
import {
  advance,
  type Ahead,
  aheadOf,
  firstState,
  hasEnded,
  hearAgain,
  joinAhead,
  newestTs,
  OVERLAP_US,
  position,
  type SequencedEvent,
  type StreamState,
  UNHEARD,
} from './sequence-state.ts'

/** Takes the next event of a stream into `state` and returns the holes that it proves. */
export function observe(state: StreamState, event: SequencedEvent): readonly Hole[] {
  if (hasEnded(state)) return NO_HOLES
  if (isNextFill(state, event)) {
    advance(state, event)
    if (state.ahead !== undefined && reaches(event, state.ahead)) joinAhead(state, state.ahead)
    return NO_HOLES
  }
  if (event.id === state.last_id && !isChained(event)) {
    hearAgain(state, event)
    return NO_HOLES
  }
  if (event.id <= state.last_id) {
    const patience_us = event.begins_anew === true && event.id < state.last_id ? 0 : OVERLAP_US
    if (event.ts_exchange <= newestTs(state) + patience_us) {
      if (event.id === state.last_id) hearAgain(state, event)
      return NO_HOLES
    }
    const hole = holeUntil(state, event, state.deaf_cause ?? 'sequence')
    const { began_ts } = state
    Object.assign(state, firstState(event), { began_ts })
    return [hole]
  }
  if (state.last_id === UNHEARD && state.deaf_cause === undefined && isFirst(state, event)) {
    const began_ts = micros(Math.min(state.began_ts, event.ts_exchange))
    Object.assign(state, firstState(event), { began_ts })
    return NO_HOLES
  }
  return isChained(event) ? observeChained(state, event) : observeLoose(state, event)
}

/** Whether nothing of a stream that never spoke can be before the event. */
function isFirst({ connection, ahead }: StreamState, event: SequencedEvent): boolean {
  if (isChained(event) || connection === undefined) return true
  return event.connection === connection && ahead === undefined
}

function observeLoose(state: StreamState, event: SequencedEvent): readonly Hole[] {
  const { ahead, connection, deaf_cause } = state
  if (ahead !== undefined) return observeLooseBesideAhead(state, ahead, event)
  if (deaf_cause === undefined && connection !== undefined && event.connection !== connection) {
    state.ahead = aheadOf(event)
    return NO_HOLES
  }
  const holes = deaf_cause === undefined ? NO_HOLES : [holeUntil(state, event, deaf_cause)]
  advance(state, event)
  return holes
}

function observeLooseBesideAhead(
  state: StreamState,
  ahead: Ahead,
  event: SequencedEvent,
): readonly Hole[] {
  if (event.connection === state.connection) {
    // Where it comes to what the other one began with, nothing was missed in between.
    if (event.id >= ahead.first_id) joinAhead(state, ahead)
    if (event.id > state.last_id) advance(state, event)
    return NO_HOLES
  }
  if (event.connection !== ahead.connection) {
    return [closeAhead(state, ahead), ...observeLoose(state, event)]
  }
  if (event.id > ahead.last_id) Object.assign(ahead, position(event))
  return NO_HOLES
}

function observeChained(state: StreamState, event: ChainedEvent): readonly Hole[] {
  const { ahead } = state
  if (ahead !== undefined) return observeBesideAhead(state, ahead, event)
  if (event.follows <= state.last_id) {
    advance(state, event)
    return NO_HOLES
  }
  const { deaf_cause } = state
  if (deaf_cause === undefined && event.connection !== state.connection) {
    state.ahead = aheadOf(event)
    return NO_HOLES
  }
  const hole = holeUntil(state, event, deaf_cause ?? 'sequence')
  advance(state, event)
  return [hole]
}

function observeBesideAhead(
  state: StreamState,
  ahead: Ahead,
  event: ChainedEvent,
): readonly Hole[] {
  if (event.id < ahead.first_id) {
    const missed = event.follows <= state.last_id ? NO_HOLES : [holeUntil(state, event, 'sequence')]
    advance(state, event)
    if (reaches(event, ahead)) joinAhead(state, ahead)
    return missed
  }
  // The old socket is past the hole itself: it will not bring what is missing.
  if (event.connection === state.connection) {
    const hole = closeAhead(state, ahead)
    return event.id <= state.last_id ? [hole] : [hole, ...observeChained(state, event)]
  }
  if (event.id <= ahead.last_id) return NO_HOLES
  if (event.follows <= ahead.last_id || isNextFill(ahead, event)) {
    Object.assign(ahead, position(event))
    return NO_HOLES
  }
  const hole = closeAhead(state, ahead)
  state.connection = event.connection
  return [hole, ...observeChained(state, event)]
}

type ChainedEvent = SequencedEvent & { readonly follows: number }

function isChained(event: SequencedEvent): event is ChainedEvent {
  return event.follows !== undefined
}

/** The event's fills go on where those that were heard ended: right after them, or with their id. */
function isNextFill(
  { last_id, last_fill }: Pick<StreamState, 'last_id' | 'last_fill'>,
  { id, fills }: SequencedEvent,
): boolean {
  if (fills === undefined || last_fill === undefined || id < last_id) return false
  return fills.first === last_fill + 1 || (id === last_id && fills.first > last_fill)
}

/** Nothing is missing between the event and what is ahead of it. */
function reaches({ id, fills }: SequencedEvent, { first_follows, first_fill }: Ahead): boolean {
  return id >= (first_follows ?? Infinity) || (fills !== undefined && fills.last + 1 === first_fill)
}
