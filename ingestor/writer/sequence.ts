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
 * 9. A stream that was delisted has ended. Frames that still come change nothing. When it is
 *    listened to again it is a new stream: nobody knows whether its ids go on from the old ones.
 */
import type { GapCause } from '#core/market.ts'
import { type Micros, micros, SECOND_US } from '#core/time.ts'

/** What is known of a stream; mutated in place, since this runs for every event. */
export interface StreamState {
  /** UNHEARD before the first event. */
  last_id: number
  /** Latest ts_exchange up to `last_id`; before the first event, when we began to listen. */
  ts_exchange: Micros
  ts_ingest: Micros
  /** The last fill in the event that `last_id` is of; undefined where the exchange names none. */
  last_fill: number | undefined
  /** The socket that carries on from `last_id`; undefined: any. */
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
interface Ahead {
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
  connection: number
}

/** A Gap without its stream. */
export interface Hole {
  readonly from_ts: Micros
  readonly to_ts: Micros
  /** Null where the stream had never been heard. */
  readonly from_id: number | null
  readonly to_id: number
  readonly cause: GapCause
  readonly detected_at: Micros
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

/** How long before its socket's last frame an event may have been sent that never arrived. */
const HEARD_MARGIN_US = 60 * SECOND_US

const NONE: readonly Hole[] = []

/** Less than every id. */
export const UNHEARD = -1

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

/** Takes the next event of a stream into `state` and returns the holes that it proves. */
export function observe(state: StreamState, event: SequencedEvent): readonly Hole[] {
  if (state.deaf_cause === 'delisted') return NONE
  if (isNextFill(state, event)) {
    advance(state, event)
    if (state.ahead !== undefined && reaches(event, state.ahead)) joinAhead(state, state.ahead)
    return NONE
  }
  if (event.id === state.last_id && !isChained(event)) {
    hearAgain(state, event)
    return NONE
  }
  if (event.id <= state.last_id) {
    const patience_us = event.begins_anew === true && event.id < state.last_id ? 0 : OVERLAP_US
    if (event.ts_exchange <= newestTs(state) + patience_us) {
      if (event.id === state.last_id) hearAgain(state, event)
      return NONE
    }
    const hole = holeUntil(state, event, state.deaf_cause ?? 'sequence')
    const { began_ts } = state
    Object.assign(state, firstState(event), { began_ts })
    return [hole]
  }
  if (state.last_id === UNHEARD && state.deaf_cause === undefined) {
    const began_ts = micros(Math.min(state.began_ts, event.ts_exchange))
    Object.assign(state, firstState(event), { began_ts })
    return NONE
  }
  return isChained(event) ? observeChained(state, event) : observeLoose(state, event)
}

/**
 * Nobody listens to the stream from `lost_at` on. The first cause stands until the hole is closed,
 * unless the stream has ended. `heard_until`: when its socket last delivered anything.
 * `carried_by`: this socket listens, and what came before its first event may be missing.
 */
export function deafen(
  state: StreamState,
  cause: GapCause,
  lost_at: Micros,
  heard_until?: Micros,
  carried_by?: number,
): readonly Hole[] {
  const holes = state.ahead === undefined ? NONE : [closeAhead(state, state.ahead)]
  if (carried_by !== undefined && state.connection === carried_by) return holes
  if (cause === 'delisted') state.deaf_cause = cause
  state.deaf_cause ??= cause
  state.loss ??= { lost_ts: heardUntil(state, heard_until), lost_at }
  return holes
}

/** From now on this socket alone carries the stream; it listened before the last one went. */
export function carryOn(state: StreamState, connection: number): void {
  const { ahead } = state
  if (state.deaf_cause !== undefined) return
  if (ahead?.connection === connection && ahead.first_follows === undefined) joinAhead(state, ahead)
  else state.connection = connection
}

/** The stream is listened to again and has nothing to say until it has an event: its hole ends. */
export function resumeQuiet(state: StreamState, now: Micros): readonly Hole[] {
  const { deaf_cause } = state
  if (deaf_cause === undefined || deaf_cause === 'delisted') return NONE
  // What was sent to nobody is older than `now`, by the exchange's clock. How that differs from
  // ours is not known apart from the delay of the last event: both are taken for delay.
  const delay_us = Math.min(Math.max(0, state.ts_ingest - state.ts_exchange), HEARD_MARGIN_US)
  const passed_us = Math.max(0, now - state.ts_ingest) + delay_us
  const ts_exchange = micros(state.ts_exchange + passed_us)
  const hole = holeUntil(state, { id: state.last_id, ts_exchange, ts_ingest: now }, deaf_cause)
  hear(state)
  state.connection = undefined
  return [hole]
}

/** The hole of a stream that had ended and is listened to again; it begins anew. */
export function reopen(state: StreamState, now: Micros): readonly Hole[] {
  const event = { id: state.last_id, ts_exchange: now, ts_ingest: now }
  const hole = holeUntil(state, event, 'delisted')
  Object.assign(state, unheardState(now))
  return [hole]
}

/** Time went on to `now` on the tape: what waits to be filled for too long is a hole. */
export function expire(state: StreamState, now: Micros): readonly Hole[] {
  const { ahead } = state
  if (ahead === undefined || now - ahead.seen_at < OVERLAP_US) return NONE
  return [closeAhead(state, ahead)]
}

/**
 * The last event of a stream once more. Where nothing changes some exchanges say it again from time
 * to time. After the stream was lost it means that who listens now has listened since before it, so
 * there is no hole up to here; a recording that is played again ends like that.
 */
function hearAgain(state: StreamState, event: SequencedEvent): void {
  state.ts_exchange = later(state.ts_exchange, event.ts_exchange)
  // On the socket that brought it before it is a duplicate, and says nothing of what came between.
  if (event.connection === state.connection) return
  hear(state)
  state.connection = event.connection
}

type ChainedEvent = SequencedEvent & { readonly follows: number }

function isChained(event: SequencedEvent): event is ChainedEvent {
  return event.follows !== undefined
}

function observeLoose(state: StreamState, event: SequencedEvent): readonly Hole[] {
  const { ahead, connection, deaf_cause } = state
  if (ahead !== undefined) return observeLooseBesideAhead(state, ahead, event)
  if (deaf_cause === undefined && connection !== undefined && event.connection !== connection) {
    state.ahead = aheadOf(event)
    return NONE
  }
  const holes = deaf_cause === undefined ? NONE : [holeUntil(state, event, deaf_cause)]
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
    return NONE
  }
  if (event.connection !== ahead.connection) {
    return [closeAhead(state, ahead), ...observeLoose(state, event)]
  }
  if (event.id > ahead.last_id) Object.assign(ahead, position(event))
  return NONE
}

function observeChained(state: StreamState, event: ChainedEvent): readonly Hole[] {
  const { ahead } = state
  if (ahead !== undefined) return observeBesideAhead(state, ahead, event)
  if (event.follows <= state.last_id) {
    advance(state, event)
    return NONE
  }
  const { deaf_cause } = state
  if (deaf_cause === undefined && event.connection !== state.connection) {
    state.ahead = aheadOf(event)
    return NONE
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
    const missed = event.follows <= state.last_id ? NONE : [holeUntil(state, event, 'sequence')]
    advance(state, event)
    if (reaches(event, ahead)) joinAhead(state, ahead)
    return missed
  }
  // The old socket is past the hole itself: it will not bring what is missing.
  if (event.connection === state.connection) {
    const hole = closeAhead(state, ahead)
    return event.id <= state.last_id ? [hole] : [hole, ...observeChained(state, event)]
  }
  if (event.id <= ahead.last_id) return NONE
  if (event.follows <= ahead.last_id || isNextFill(ahead, event)) {
    Object.assign(ahead, position(event))
    return NONE
  }
  const hole = closeAhead(state, ahead)
  state.connection = event.connection
  return [hole, ...observeChained(state, event)]
}

function aheadOf(event: SequencedEvent): Ahead {
  return {
    ...position(event),
    first_id: event.id,
    first_follows: event.follows,
    first_fill: event.fills?.first,
    first_ts: event.ts_exchange,
    seen_at: event.ts_ingest,
  }
}

/** The hole before `ahead` is real. */
function closeAhead(state: StreamState, ahead: Ahead): Hole {
  const first = { id: ahead.first_id, ts_exchange: ahead.first_ts, ts_ingest: ahead.seen_at }
  const hole = holeUntil(state, first, ahead.first_follows === undefined ? 'disconnect' : 'sequence')
  joinAhead(state, ahead)
  return hole
}

function joinAhead(state: StreamState, ahead: Ahead): void {
  state.last_id = ahead.last_id
  state.last_fill = ahead.last_fill
  state.ts_exchange = later(state.ts_exchange, ahead.ts_exchange)
  state.ts_ingest = ahead.ts_ingest
  state.connection = ahead.connection
  state.ahead = undefined
}

function advance(state: StreamState, event: SequencedEvent): void {
  state.last_id = event.id
  state.last_fill = event.fills?.last
  state.ts_exchange = later(state.ts_exchange, event.ts_exchange)
  state.ts_ingest = event.ts_ingest
  state.connection = event.connection
  hear(state)
}

function hear(state: StreamState): void {
  state.deaf_cause = undefined
  state.loss = undefined
}

function heardUntil(state: StreamState, heard_until: Micros | undefined): Micros {
  if (heard_until === undefined) return state.ts_exchange
  const quiet_us = Math.max(0, heard_until - state.ts_ingest - HEARD_MARGIN_US)
  return micros(state.ts_exchange + quiet_us)
}

function holeUntil(
  state: StreamState,
  event: Pick<SequencedEvent, 'id' | 'ts_exchange' | 'ts_ingest'>,
  cause: GapCause,
): Hole {
  const lost_ts = state.loss?.lost_ts ?? state.ts_exchange
  // An event from before that moment shows that what is missing may be older still.
  const from_ts = event.ts_exchange < lost_ts ? state.ts_exchange : lost_ts
  return {
    from_ts,
    // Event times of one stream may go back a little; a hole never ends before it begins.
    to_ts: later(from_ts, event.ts_exchange),
    from_id: state.last_id === UNHEARD ? null : state.last_id,
    to_id: event.id,
    cause,
    detected_at: event.ts_ingest,
  }
}

function position(event: SequencedEvent): {
  last_id: number
  last_fill: number | undefined
  ts_exchange: Micros
  ts_ingest: Micros
  connection: number
} {
  const { id: last_id, ts_exchange, ts_ingest, connection } = event
  return { last_id, last_fill: event.fills?.last, ts_exchange, ts_ingest, connection }
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

function newestTs(state: StreamState): Micros {
  return state.ahead === undefined ? state.ts_exchange : later(state.ts_exchange, state.ahead.ts_exchange)
}

function later(a: Micros, b: Micros): Micros {
  return a > b ? a : b
}
