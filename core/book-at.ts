/**
 * The book of a symbol as it was at one moment, from recorded depth alone: the newest snapshot
 * before it and the diffs since. Where the rows lie (Postgres, Parquet) is the source's affair.
 */
import type { OrderBook } from './book.ts'
import {
  type BookState,
  type DepthChange,
  fitOf,
  takeDiff,
  takeSnapshot,
  unsyncedBook,
} from './book-sync.ts'
import { type Micros, micros, SECOND_US } from './time.ts'

/** One symbol's recorded depth. */
export interface DepthSource {
  /** The newest snapshot with ts_exchange <= ts. */
  snapshotBefore(ts: Micros): Promise<DepthChange | undefined>
  /** In order of (ts_exchange, final_update_id); the caller may stop reading anywhere. */
  diffs(wanted: WantedDiffs): AsyncIterable<DepthChange>
}

export interface WantedDiffs {
  readonly from_ts: Micros
  /** Those with a smaller final_update_id are left out. */
  readonly from_id: number
  /** The diffs up to this moment, it included, and the first one after it. */
  readonly to_ts: Micros
}

export type BookAt =
  | {
      readonly kind: 'book'
      readonly book: OrderBook
      /** Of the newest change in it. */
      readonly update_id: number
      readonly ts_exchange: Micros
    }
  /** No snapshot was recorded before that moment. */
  | { readonly kind: 'no_snapshot' }
  /** Changes are missing between `since` and the next snapshot. */
  | { readonly kind: 'hole'; readonly since: Micros }

/**
 * A snapshot without a time of its own (spot) has the time at which it arrived, which is later than
 * that of the changes that followed it, by the time the answer took.
 */
export const SNAPSHOT_LATE_US = 60 * SECOND_US

/**
 * The book after every diff with ts_exchange <= ts. The first diff after that moment is looked at
 * too: where it does not connect, the moment lies in a hole, and no book is known.
 */
export async function bookAt(source: DepthSource, ts: Micros): Promise<BookAt> {
  const snapshot = await source.snapshotBefore(ts)
  if (snapshot === undefined) return { kind: 'no_snapshot' }
  let [state]: readonly [BookState, unknown] = takeSnapshot(unsyncedBook(), snapshot)
  const from_ts = micros(snapshot.ts_exchange - SNAPSHOT_LATE_US)
  const wanted = { from_ts, from_id: snapshot.final_update_id, to_ts: ts }
  for await (const diff of source.diffs(wanted)) {
    if (state.kind !== 'synced') break
    const { ts_exchange } = state
    if (diff.ts_exchange > ts) {
      if (fitOf(state, diff) === 'hole') return { kind: 'hole', since: ts_exchange }
      break
    }
    // Of a numbering that the snapshot ended. A real hole shows in the diffs after it as well.
    const is_before = !state.is_chained && diff.ts_exchange < snapshot.ts_exchange
    if (is_before && fitOf(state, diff) === 'hole') continue
    ;[state] = takeDiff(state, diff)
    if (state.kind !== 'synced') return { kind: 'hole', since: ts_exchange }
  }
  if (state.kind !== 'synced') return { kind: 'hole', since: snapshot.ts_exchange }
  const { book, last_id: update_id, ts_exchange } = state
  return { kind: 'book', book, update_id, ts_exchange }
}
