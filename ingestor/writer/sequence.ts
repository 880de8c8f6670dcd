/**
 * Finds the gaps in one stream from its events alone, in tape order: no clock and no I/O, so the
 * same tape gives the same gaps. It does not decide about rows: late and repeated events go to the
 * tables as well, where the primary key decides.
 *
 * Invariants
 * 1. `last_id` is the newest id such that every missing id before it is in a reported gap.
 * 2. Some events name the id that they follow: a trade follows the previous id, a book update the
 *    last id of the previous update (`pu`, or `U` less one). If that id is larger than `last_id`,
 *    something is missing. On the socket that delivered `last_id`, or after the stream was lost,
 *    this is a gap at once. Otherwise nothing is missing, even if the stream was lost in between.
 * 3. A jump on another socket is not a gap yet: while a socket is being renewed, the old one may
 *    still deliver what is in between. The jump waits as `ahead` until it is filled, the old socket
 *    passes it, or it is OVERLAP_US old. A restart forgets `ahead`, so it may report a gap that is
 *    too large, never one that is too small.
 * 4. Ids of quotes and partial books, and times used as ids, only grow. A jump proves nothing.
 *    Gaps of these streams come only from their losses, unless `last_id` itself arrives again
 *    afterwards. Events on another socket wait as `ahead` too, until the previous socket reaches
 *    the same event or is known to have lived until then (`carryOn`). A socket that died before
 *    its successor was subscribed leaves a gap that no id shows.
 * 5. An id that falls while time advances by more than OVERLAP_US is a new numbering (the exchange
 *    listed the symbol again). The old numbering ends in a gap, because what came in between is
 *    unknown. An event that is the first of a numbering is accepted at once, if nothing newer was
 *    seen.
 * 6. If the exchange names the fills of an event, they decide before its id does: an event whose
 *    first fill directly follows the newest fill misses nothing, even if its id repeats or skips.
 *    A jump of fills without a jump of ids is not a gap: exchanges leave out fills that are not
 *    market trades.
 * 7. A stream that is lost after its subscription and before its first event has a gap too. It
 *    begins at the subscription and has no first id.
 * 8. A gap begins at the last event or later: a stream that was quiet before it was lost was still
 *    covered until its socket last delivered anything, less HEARD_MARGIN_US for what was in flight.
 * 9. A stream that was delisted, or that the operator chose not to record, has ended. Frames that
 *    still arrive change nothing. A delisted stream that is subscribed again is a new stream,
 *    because its ids may not continue the old ones. The operator's gap ends with the next event.
 *
 * Marks and the passing of time also change a stream: see losses.ts. For the bounds of a gap, see
 * gap-bounds.ts.
 */
import { micros } from '#core/time.ts'
import { closeAhead, type GapBounds, gapUntil, NO_GAPS } from './gap-bounds.ts'
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

/** Updates `state` with the stream's next event and returns the gaps that it proves. */
export function observe(state: StreamState, event: SequencedEvent): readonly GapBounds[] {
  if (hasEnded(state)) return NO_GAPS
  if (isNextFill(state, event)) {
    advance(state, event)
    if (state.ahead !== undefined && reaches(event, state.ahead)) joinAhead(state, state.ahead)
    return NO_GAPS
  }
  if (event.id === state.last_id && !isChained(event)) {
    hearAgain(state, event)
    return NO_GAPS
  }
  if (event.id <= state.last_id) {
    const patience_us =
      event.restarts_numbering === true && event.id < state.last_id ? 0 : OVERLAP_US
    if (event.ts_exchange <= newestTs(state) + patience_us) {
      if (event.id === state.last_id) hearAgain(state, event)
      return NO_GAPS
    }
    const gap = gapUntil(state, event, state.deaf_cause ?? 'sequence')
    const { began_ts } = state
    Object.assign(state, firstState(event), { began_ts })
    return [gap]
  }
  if (state.last_id === UNHEARD && state.deaf_cause === undefined && isFirst(state, event)) {
    const began_ts = micros(Math.min(state.began_ts, event.ts_exchange))
    Object.assign(state, firstState(event), { began_ts })
    return NO_GAPS
  }
  return isChained(event) ? observeChained(state, event) : observeLoose(state, event)
}

/** Whether the stream's first event has nothing missing before it. */
function isFirst({ connection, ahead }: StreamState, event: SequencedEvent): boolean {
  if (isChained(event) || connection === undefined) return true
  return event.connection === connection && ahead === undefined
}

function observeLoose(state: StreamState, event: SequencedEvent): readonly GapBounds[] {
  const { ahead, connection, deaf_cause } = state
  if (ahead !== undefined) return observeLooseBesideAhead(state, ahead, event)
  if (deaf_cause === undefined && connection !== undefined && event.connection !== connection) {
    state.ahead = aheadOf(event)
    return NO_GAPS
  }
  const gaps = deaf_cause === undefined ? NO_GAPS : [gapUntil(state, event, deaf_cause)]
  advance(state, event)
  return gaps
}

function observeLooseBesideAhead(
  state: StreamState,
  ahead: Ahead,
  event: SequencedEvent,
): readonly GapBounds[] {
  if (event.connection === state.connection) {
    // Once it reaches the other socket's first event, nothing was missed in between.
    if (event.id >= ahead.first_id) joinAhead(state, ahead)
    if (event.id > state.last_id) advance(state, event)
    return NO_GAPS
  }
  if (event.connection !== ahead.connection) {
    return [closeAhead(state, ahead), ...observeLoose(state, event)]
  }
  if (event.id > ahead.last_id) Object.assign(ahead, position(event))
  return NO_GAPS
}

function observeChained(state: StreamState, event: ChainedEvent): readonly GapBounds[] {
  const { ahead } = state
  if (ahead !== undefined) return observeBesideAhead(state, ahead, event)
  if (event.follows <= state.last_id) {
    advance(state, event)
    return NO_GAPS
  }
  const { deaf_cause } = state
  if (deaf_cause === undefined && event.connection !== state.connection) {
    state.ahead = aheadOf(event)
    return NO_GAPS
  }
  const gap = gapUntil(state, event, deaf_cause ?? 'sequence')
  advance(state, event)
  return [gap]
}

function observeBesideAhead(
  state: StreamState,
  ahead: Ahead,
  event: ChainedEvent,
): readonly GapBounds[] {
  if (event.id < ahead.first_id) {
    const missed = event.follows <= state.last_id ? NO_GAPS : [gapUntil(state, event, 'sequence')]
    advance(state, event)
    if (reaches(event, ahead)) joinAhead(state, ahead)
    return missed
  }
  // The old socket has passed the gap too: it will not deliver what is missing.
  if (event.connection === state.connection) {
    const gap = closeAhead(state, ahead)
    return event.id <= state.last_id ? [gap] : [gap, ...observeChained(state, event)]
  }
  if (event.id <= ahead.last_id) return NO_GAPS
  if (event.follows <= ahead.last_id || isNextFill(ahead, event)) {
    Object.assign(ahead, position(event))
    return NO_GAPS
  }
  const gap = closeAhead(state, ahead)
  state.connection = event.connection
  return [gap, ...observeChained(state, event)]
}

type ChainedEvent = SequencedEvent & { readonly follows: number }

function isChained(event: SequencedEvent): event is ChainedEvent {
  return event.follows !== undefined
}

/** The event's fills continue the last ones: the next fill, or further fills of the same id. */
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
