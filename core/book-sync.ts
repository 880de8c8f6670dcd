/**
 * Keeps one symbol's book in sequence: (state, message) => [state, news]. Pure, except that it
 * changes the book and the buffers of the state in place, because it runs for every diff.
 * Sources: Binance, "How to manage a local order book correctly", for USD-M and for spot.
 *
 * The exchange's letters: U and u are a diff's first and final update id, pu is the u of the
 * previous diff (USD-M only), L is a snapshot's lastUpdateId.
 *
 * Invariants
 * 1. A book is a snapshot (L) plus every later diff, each applied once and in order; `last_id` is
 *    the u of the newest. Quantities are absolute and 0 removes a level, so the first diff may
 *    start before L.
 * 2. USD-M: after a snapshot, diffs with u < L are dropped. The first diff applied has
 *    U <= L <= u, or continues the snapshot directly (pu = L). Each later one has pu = u of the
 *    previous diff.
 * 3. Spot: diffs with u <= last_id are dropped; every other diff has U <= last_id + 1.
 * 4. Any other diff reveals a gap. The book is lost at once. It is served again when (a) a snapshot
 *    connects to the diffs since, or (b) the missing diffs arrive late and the ids prove a chain
 *    without gaps from the old book to the newest diff. (b) happens while a socket is renewed: the
 *    new socket may be ahead of the old one.
 * 5. A book whose best bid is not below its best ask is lost in the same way.
 * 6. A snapshot is wanted after SNAPSHOT_AFTER_DIFFS consecutive diffs; an earlier one might be
 *    older than the first diff. A snapshot that is too old is dropped, and another is wanted.
 * 7. A snapshot for a book in sequence replaces it, if the diffs since the request bring the
 *    snapshot up to `last_id`; otherwise it is dropped. (Snapshots have limited depth; levels
 *    beyond it are unknown until they change.)
 * 8. A snapshot in the stream (Bybit) connects by its id like any other. It is the newest state,
 *    unless its id is older, which shows that its socket lags behind another. After a renumbering
 *    it is taken as it is.
 * 9. An id that is smaller although more than RENUMBERED_US have passed starts a new numbering:
 *    the book is lost.
 */
import { type LevelLists, type Levels, OrderBook } from './book.ts'
import type { DepthEvent } from './market.ts'
import { type Micros, SECOND_US } from './time.ts'

/** The fields of a depth event that matter to the sequence: of a live event or of a table row. */
export type DepthChange = Levels & DepthIds
/** The same, with levels of any form. */
export type AnyDepthChange = LevelLists & DepthIds

type DepthIds = Pick<
  DepthEvent,
  'ts_exchange' | 'first_update_id' | 'final_update_id' | 'prev_final_update_id'
>

export interface Syncing {
  readonly kind: 'syncing'
  /** The newest consecutive diffs; at most BUFFERED_DIFFS_MAX. */
  buffered: AnyDepthChange[]
  is_wanted: boolean
  /** The book before the gap; `buffered` holds the diffs after it. */
  lost: Synced | undefined
}

export interface Synced {
  readonly kind: 'synced'
  book: OrderBook
  last_id: number
  /** The latest ts_exchange of the rows in the book. */
  ts_exchange: Micros
  /** False between a snapshot and the first diff after it. */
  is_chained: boolean
  /** The diffs since a snapshot was requested; undefined while no request is pending. */
  since_asked: AnyDepthChange[] | undefined
}

export type BookState = Syncing | Synced

export type BookNews =
  | { readonly kind: 'wanted' }
  | { readonly kind: 'synced' }
  | {
      readonly kind: 'lost'
      readonly cause: 'sequence' | 'crossed'
      /** Ids of the last good change and of the first bad one; the times likewise. */
      readonly from_id: number
      readonly to_id: number
      readonly from_ts: Micros
      readonly to_ts: Micros
    }

export type Step = readonly [BookState, readonly BookNews[]]

export const SNAPSHOT_AFTER_DIFFS = 2
/** Some seconds of the fastest stream, 20 s of a usual one: longer than a REST request takes. */
export const BUFFERED_DIFFS_MAX = 200
export const RENUMBERED_US = 10 * SECOND_US

const NO_NEWS: readonly BookNews[] = []

export function unsyncedBook(): Syncing {
  return { kind: 'syncing', buffered: [], is_wanted: false, lost: undefined }
}

export function takeDiff(state: BookState, diff: AnyDepthChange): Step {
  if (state.kind === 'syncing') return wait(state, diff)
  const fit = fitOf(state, diff)
  if (fit === 'gap') return lose(state, 'sequence', diff)
  if (fit === 'old') {
    const is_renumbered = diff.ts_exchange > state.ts_exchange + RENUMBERED_US
    return is_renumbered ? lose(state, 'sequence', diff) : [state, NO_NEWS]
  }
  if (state.since_asked !== undefined) keep(state.since_asked, diff)
  apply(state, diff)
  return state.book.is_crossed ? lose(state, 'crossed', diff) : [state, NO_NEWS]
}

/** `in_stream`: the snapshot came over a socket, between the diffs. */
export function takeSnapshot(state: BookState, snapshot: AnyDepthChange, in_stream = false): Step {
  if (state.kind === 'synced') {
    // The table keeps the first row of an identity, so the book does too.
    const is_known = snapshot.final_update_id === state.last_id && !state.is_chained
    if (in_stream && is_known && snapshot.ts_exchange === state.ts_exchange) return [state, NO_NEWS]
    const renewed = bookFrom(snapshot)
    // A snapshot of the book's last update: the next diff must continue that update.
    renewed.is_chained = state.is_chained && renewed.last_id === state.last_id
    const is_whole = catchUp(renewed, in_stream ? [] : (state.since_asked ?? []))
    state.since_asked = undefined
    const is_newest = is_whole && renewed.last_id >= state.last_id
    const is_renumbered = in_stream && isRenumbered(snapshot, state.last_id, state.ts_exchange)
    const is_better = (is_newest || is_renumbered) && !renewed.book.is_crossed
    return [is_better ? renewed : state, NO_NEWS]
  }
  const newest = state.buffered.at(-1)
  const is_renumbered =
    in_stream &&
    newest !== undefined &&
    isRenumbered(snapshot, newest.final_update_id, newest.ts_exchange)
  const synced = bookFrom(snapshot)
  const is_whole = catchUp(synced, is_renumbered ? [] : state.buffered)
  if (is_whole && !synced.book.is_crossed) return [synced, [{ kind: 'synced' }]]
  state.is_wanted = false
  return wanted(state)
}

/** Records that a snapshot has been requested. */
export function noteAsked(state: BookState): void {
  if (state.kind === 'synced') state.since_asked = []
}

/** How a diff relates to a book: already in it, the next one, or after a gap. */
export function fitOf(
  { last_id, is_chained }: Pick<Synced, 'last_id' | 'is_chained'>,
  diff: AnyDepthChange,
): 'old' | 'next' | 'gap' {
  const { final_update_id, prev_final_update_id } = diff
  const first_update_id = diff.first_update_id ?? final_update_id
  if (prev_final_update_id === null) {
    if (final_update_id <= last_id) return 'old'
    return first_update_id <= last_id + 1 ? 'next' : 'gap'
  }
  if (prev_final_update_id === last_id) return 'next'
  if (is_chained) return final_update_id <= last_id ? 'old' : 'gap'
  if (final_update_id < last_id) return 'old'
  return first_update_id <= last_id ? 'next' : 'gap'
}

function wait(state: Syncing, diff: AnyDepthChange): Step {
  const { lost } = state
  if (lost !== undefined && fitOf(lost, diff) === 'next') {
    apply(lost, diff)
    if (!catchUp(lost, state.buffered)) return [state, NO_NEWS]
    if (!lost.book.is_crossed) return [lost, [{ kind: 'synced' }]]
    // The ids are complete, yet the book is crossed: only a snapshot helps.
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

function bookFrom(snapshot: AnyDepthChange): Synced {
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

/** A new numbering: the id is 1, or it is smaller although RENUMBERED_US have passed. */
function isRenumbered(snapshot: AnyDepthChange, last_id: number, ts_exchange: Micros): boolean {
  const { final_update_id } = snapshot
  if (final_update_id >= last_id) return false
  const patience_us = final_update_id === 1 ? 0 : RENUMBERED_US
  return snapshot.ts_exchange > ts_exchange + patience_us
}

/** Applies the diffs that the book does not contain yet; false at the first gap. */
function catchUp(state: Synced, diffs: readonly AnyDepthChange[]): boolean {
  for (const diff of diffs) {
    const fit = fitOf(state, diff)
    if (fit === 'gap') return false
    if (fit === 'next') apply(state, diff)
  }
  return true
}

function apply(state: Synced, diff: AnyDepthChange): void {
  state.book.apply(diff)
  state.last_id = diff.final_update_id
  state.is_chained = true
  if (diff.ts_exchange > state.ts_exchange) state.ts_exchange = diff.ts_exchange
}

function lose(state: Synced, cause: 'sequence' | 'crossed', diff: AnyDepthChange): Step {
  const syncing = unsyncedBook()
  syncing.buffered.push(diff)
  if (cause === 'sequence') syncing.lost = state
  const { last_id: from_id, ts_exchange: from_ts } = state
  const to_id = diff.final_update_id
  // Event times may go back a little, but a gap never ends before it begins.
  const to_ts = diff.ts_exchange > from_ts ? diff.ts_exchange : from_ts
  return [syncing, [{ kind: 'lost', cause, from_id, to_id, from_ts, to_ts }]]
}

function keep(diffs: AnyDepthChange[], diff: AnyDepthChange): void {
  diffs.push(diff)
  if (diffs.length > BUFFERED_DIFFS_MAX) diffs.shift()
}
