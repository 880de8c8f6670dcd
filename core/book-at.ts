/**
 * The book of a symbol as it was at one moment, from recorded depth alone: the snapshots around it
 * and the diffs since the newest one before it, replayed (book-replay.ts). Where the rows lie
 * (Postgres, Parquet) is the source's affair.
 */
import type { OrderBook } from './book.ts'
import { BookReplay, SNAPSHOT_LATE_US, type Stretch } from './book-replay.ts'
import type { DepthChange } from './book-sync.ts'
import { type Micros, micros } from './time.ts'

/** One symbol's recorded depth. */
export interface DepthSource {
  /** The newest snapshot with ts_exchange <= ts. */
  snapshotBefore(ts: Micros): Promise<DepthChange | undefined>
  /** Those with ts_exchange in (from, to], in any order. */
  snapshotsAfter(from: Micros, to: Micros): Promise<readonly DepthChange[]>
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
 * The book after every diff with ts_exchange <= ts. The first diff after that moment is looked at
 * too: where it does not connect, the moment lies in a hole, and no book is known.
 */
export async function bookAt(source: DepthSource, ts: Micros): Promise<BookAt> {
  const newest = await source.snapshotBefore(ts)
  const found = newest === undefined ? NO_SNAPSHOT : await replayTo(source, ts, [newest])
  if (found.kind === 'book') return found
  // One whose time is that of its arrival may have its place before the moment.
  const late = await source.snapshotsAfter(ts, micros(ts + SNAPSHOT_LATE_US))
  if (late.length === 0) return found
  const again = await replayTo(source, ts, newest === undefined ? late : [newest, ...late])
  return again.kind === 'book' ? again : found
}

/** `next` is the first diff behind the moment; one that the book holds already says nothing. */
function stretchAt(
  replay: BookReplay,
  ts: Micros,
  next: DepthChange | undefined,
): Stretch | undefined {
  const stretch = next === undefined ? undefined : replay.before(next)
  if (stretch !== undefined) return stretch
  return next === undefined || replay.connects(next) ? replay.end(ts + 1) : undefined
}

const NO_SNAPSHOT = { kind: 'no_snapshot' } as const

async function replayTo(
  source: DepthSource,
  ts: Micros,
  snapshots: readonly DepthChange[],
): Promise<BookAt> {
  const replay = new BookReplay()
  replay.addSnapshots(snapshots)
  const oldest_ts = Math.min(...snapshots.map((snapshot) => snapshot.ts_exchange))
  const wanted = {
    from_ts: micros(oldest_ts - SNAPSHOT_LATE_US),
    from_id: Math.min(...snapshots.map((snapshot) => snapshot.final_update_id)),
    to_ts: ts,
  }
  let since = micros(oldest_ts)
  let next: DepthChange | undefined
  for await (const diff of source.diffs(wanted)) {
    if (diff.ts_exchange > ts) {
      next = diff
      break
    }
    const outcome = replay.take(diff)
    if (outcome === 'update' || outcome === 'found') since = diff.ts_exchange
  }
  const stretch = stretchAt(replay, ts, next)
  if (stretch === undefined || stretch.from > ts) return { kind: 'hole', since }
  const { book, update_id, ts_exchange } = stretch
  return { kind: 'book', book, update_id, ts_exchange }
}
