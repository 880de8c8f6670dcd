/**
 * Keeps one symbol's book in sequence: (state, message) => [state, news]. Pure but for the book
 * and the buffers inside the state, which are changed in place, since this runs for every diff.
 * Sources: Binance, "How to manage a local order book correctly", for USD-M and for spot.
 *
 * In the letters of the exchange: U and u are a diff's first and final update id, pu is the u of
 * the diff before it (USD-M only), L is a snapshot's lastUpdateId.
 *
 * Invariants
 * 1. A book is L plus every diff after it, each applied once and in order; `last_id` is the u of
 *    the newest. Quantities are absolute and 0 takes a level away, so the first diff may reach
 *    back before L.
 * 2. USD-M. After a snapshot diffs with u < L are dropped; the first one has U <= L <= u, or
 *    directly continues it (pu = L). Each later one has pu = u of the one before.
 * 3. Spot. Diffs with u <= last_id are dropped; every other one has U <= last_id + 1.
 * 4. A diff that fits neither is a hole: the book is lost at once, and nothing of it is served
 *    until a snapshot connects to the diffs that came since, or until what was missing comes late
 *    (while a socket is being renewed, the new one may be ahead of the old one): then the ids prove
 *    the chain unbroken, from the book before the hole to the newest diff.
 * 5. A book whose best bid is not below its best ask is lost in the same way.
 * 6. A snapshot is wanted once SNAPSHOT_AFTER_DIFFS diffs in sequence have come: before that it may
 *    be older than the first of them. One that is older is dropped, and another is wanted.
 * 7. A snapshot for a book in sequence takes its place (a snapshot reaches only so deep, and what
 *    lies beyond it is unknown until it changes), where it can be brought up to `last_id` with the
 *    diffs since it was asked for; else it is dropped.
 * 8. A snapshot that comes in the stream (Bybit) connects by its id like any other. It is also the
 *    newest there is, unless an older id shows that the socket which brought it lags behind
 *    another. Where ids begin anew it is taken as it is.
 * 9. An id that fell while time went on by more than RENUMBERED_US is a new numbering: the book is
 *    lost.
 */
import { type Levels, OrderBook } from './book.ts'
import type { DepthEvent } from './market.ts'
import { type Micros, SECOND_US } from './time.ts'

/** What of a depth event the sequence is made from: an event of a stream, or a row of a table. */
export type DepthChange = Levels &
  Pick<
    DepthEvent,
    'ts_exchange' | 'first_update_id' | 'final_update_id' | 'prev_final_update_id'
  >

export interface Syncing {
  readonly kind: 'syncing'
  /** The newest diffs, without a hole between them; at most BUFFERED_DIFFS_MAX. */
  buffered: DepthChange[]
  is_wanted: boolean
  /** The book before the hole that `buffered` lies behind. */
  lost: Synced | undefined
}

export interface Synced {
  readonly kind: 'synced'
  book: OrderBook
  last_id: number
  /** Latest ts_exchange of what the book is made of. */
  ts_exchange: Micros
  /** False until the first diff after a snapshot. */
  is_chained: boolean
  /** The diffs since a snapshot was asked for; undefined while none is on its way. */
  since_asked: DepthChange[] | undefined
}

export type BookState = Syncing | Synced

export type BookNews =
  | { readonly kind: 'wanted' }
  | { readonly kind: 'synced' }
  | {
      readonly kind: 'lost'
      readonly cause: 'sequence' | 'crossed'
      /** Of the last change that was right, and of the one that was not. */
      readonly from_id: number
      readonly to_id: number
      readonly from_ts: Micros
      readonly to_ts: Micros
    }

export type Step = readonly [BookState, readonly BookNews[]]

export const SNAPSHOT_AFTER_DIFFS = 2
/** Some seconds of the fastest stream, 20 s of the usual one: longer than an answer takes. */
export const BUFFERED_DIFFS_MAX = 200
export const RENUMBERED_US = 10 * SECOND_US

const NO_NEWS: readonly BookNews[] = []

export function unsyncedBook(): Syncing {
  return { kind: 'syncing', buffered: [], is_wanted: false, lost: undefined }
}

export function takeDiff(state: BookState, diff: DepthChange): Step {
  if (state.kind === 'syncing') return wait(state, diff)
  const fit = fitOf(state, diff)
  if (fit === 'hole') return lose(state, 'sequence', diff)
  if (fit === 'old') {
    const is_renumbered = diff.ts_exchange > state.ts_exchange + RENUMBERED_US
    return is_renumbered ? lose(state, 'sequence', diff) : [state, NO_NEWS]
  }
  if (state.since_asked !== undefined) keep(state.since_asked, diff)
  apply(state, diff)
  return state.book.is_crossed ? lose(state, 'crossed', diff) : [state, NO_NEWS]
}

/** `in_stream`: it came over a socket, between the diffs. */
export function takeSnapshot(state: BookState, snapshot: DepthChange, in_stream = false): Step {
  if (state.kind === 'synced') {
    // The table keeps the first row of an identity, so the book does too.
    const is_known = snapshot.final_update_id === state.last_id && !state.is_chained
    if (in_stream && is_known && snapshot.ts_exchange === state.ts_exchange) return [state, NO_NEWS]
    const renewed = bookFrom(snapshot)
    // Of the very update that the book ends with: the next diff has to continue that one.
    renewed.is_chained = state.is_chained && renewed.last_id === state.last_id
    const is_whole = catchUp(renewed, in_stream ? [] : (state.since_asked ?? []))
    state.since_asked = undefined
    const is_newest = is_whole && renewed.last_id >= state.last_id
    const is_anew = in_stream && beginsAnew(snapshot, state.last_id, state.ts_exchange)
    const is_better = (is_newest || is_anew) && !renewed.book.is_crossed
    return [is_better ? renewed : state, NO_NEWS]
  }
  const newest = state.buffered.at(-1)
  const is_anew =
    in_stream &&
    newest !== undefined &&
    beginsAnew(snapshot, newest.final_update_id, newest.ts_exchange)
  const synced = bookFrom(snapshot)
  const is_whole = catchUp(synced, is_anew ? [] : state.buffered)
  if (is_whole && !synced.book.is_crossed) return [synced, [{ kind: 'synced' }]]
  state.is_wanted = false
  return wanted(state)
}

/** A snapshot has been asked for. */
export function noteAsked(state: BookState): void {
  if (state.kind === 'synced') state.since_asked = []
}

/** How a diff stands to a book: already in it, the next one, or behind a hole. */
export function fitOf(
  { last_id, is_chained }: Pick<Synced, 'last_id' | 'is_chained'>,
  diff: DepthChange,
): 'old' | 'next' | 'hole' {
  const { final_update_id, prev_final_update_id } = diff
  const first_update_id = diff.first_update_id ?? final_update_id
  if (prev_final_update_id === null) {
    if (final_update_id <= last_id) return 'old'
    return first_update_id <= last_id + 1 ? 'next' : 'hole'
  }
  if (prev_final_update_id === last_id) return 'next'
  if (is_chained) return final_update_id <= last_id ? 'old' : 'hole'
  if (final_update_id < last_id) return 'old'
  return first_update_id <= last_id ? 'next' : 'hole'
}

function wait(state: Syncing, diff: DepthChange): Step {
  const { lost } = state
  if (lost !== undefined && fitOf(lost, diff) === 'next') {
    apply(lost, diff)
    if (!catchUp(lost, state.buffered)) return [state, NO_NEWS]
    if (!lost.book.is_crossed) return [lost, [{ kind: 'synced' }]]
    // Whole by its ids and yet wrong: only a snapshot helps.
    state.lost = undefined
    return [state, NO_NEWS]
  }
  const newest = state.buffered.at(-1)
  if (newest !== undefined) {
    const fit = fitOf({ last_id: newest.final_update_id, is_chained: true }, diff)
    const is_late = fit === 'old' && diff.ts_exchange <= newest.ts_exchange + RENUMBERED_US
    if (is_late) return [state, NO_NEWS]
    if (fit !== 'next') Object.assign(state, unsyncedBook(), { is_wanted: state.is_wanted })
  }
  keep(state.buffered, diff)
  return wanted(state)
}

function wanted(state: Syncing): Step {
  if (state.is_wanted || state.buffered.length < SNAPSHOT_AFTER_DIFFS) return [state, NO_NEWS]
  state.is_wanted = true
  return [state, [{ kind: 'wanted' }]]
}

function bookFrom(snapshot: DepthChange): Synced {
  const book = new OrderBook()
  book.replace(snapshot)
  return {
    kind: 'synced',
    book,
    last_id: snapshot.final_update_id,
    ts_exchange: snapshot.ts_exchange,
    is_chained: false,
    since_asked: undefined,
  }
}

/** A new numbering begins with 1, or shows by an id that fell while time went on for long. */
function beginsAnew(snapshot: DepthChange, last_id: number, ts_exchange: Micros): boolean {
  const { final_update_id } = snapshot
  if (final_update_id >= last_id) return false
  const patience_us = final_update_id === 1 ? 0 : RENUMBERED_US
  return snapshot.ts_exchange > ts_exchange + patience_us
}

/** Applies what the book does not hold yet; false where it does not connect. */
function catchUp(state: Synced, diffs: readonly DepthChange[]): boolean {
  for (const diff of diffs) {
    const fit = fitOf(state, diff)
    if (fit === 'hole') return false
    if (fit === 'next') apply(state, diff)
  }
  return true
}

function apply(state: Synced, diff: DepthChange): void {
  state.book.apply(diff)
  state.last_id = diff.final_update_id
  state.is_chained = true
  if (diff.ts_exchange > state.ts_exchange) state.ts_exchange = diff.ts_exchange
}

function lose(state: Synced, cause: 'sequence' | 'crossed', diff: DepthChange): Step {
  const syncing = unsyncedBook()
  syncing.buffered.push(diff)
  if (cause === 'sequence') syncing.lost = state
  const { last_id: from_id, ts_exchange: from_ts } = state
  const to_id = diff.final_update_id
  // Event times may go back a little; a hole never ends before it begins.
  const to_ts = diff.ts_exchange > from_ts ? diff.ts_exchange : from_ts
  return [syncing, [{ kind: 'lost', cause, from_id, to_id, from_ts, to_ts }]]
}

function keep(diffs: DepthChange[], diff: DepthChange): void {
  diffs.push(diff)
  if (diffs.length > BUFFERED_DIFFS_MAX) diffs.shift()
}
