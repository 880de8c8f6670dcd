/**
 * A symbol's book at a given time, from recorded depth alone: book-replay.ts replays the snapshots
 * around that time and the diffs since the newest snapshot before it. A DepthSource hides whether
 * the rows come from Postgres or Parquet.
 */
import type { OrderBook } from './book.ts'
import { BookReplay, SNAPSHOT_LATE_US, type Stretch } from './book-replay.ts'
import type { DepthChange } from './book-sync.ts'
import { type Micros, micros } from './time.ts'

/** One symbol's recorded depth. */
export interface DepthSource {
  /** The newest snapshot with ts_exchange <= ts. */
  snapshotBefore(ts: Micros): Promise<DepthChange | undefined>
  /** Snapshots with ts_exchange in (from, to], in any order. */
  snapshotsAfter(from: Micros, to: Micros): Promise<readonly DepthChange[]>
  /** Ordered by (ts_exchange, final_update_id). The caller may stop reading at any row. */
  diffs(wanted: WantedDiffs): AsyncIterable<DepthChange>
}

export interface WantedDiffs {
  readonly from_ts: Micros
  /** Diffs with a smaller final_update_id are skipped. */
  readonly from_id: number
  /** Diffs with ts_exchange <= to_ts, and the first one after it. */
  readonly to_ts: Micros
}

export type BookAt =
  | {
      readonly kind: 'book'
      readonly book: OrderBook
      /** Id of the newest change in the book. */
      readonly update_id: number
      readonly ts_exchange: Micros
    }
  /** No snapshot was recorded before that time. */
  | { readonly kind: 'no_snapshot' }
  /** Changes are missing between `since` and the next snapshot. */
  | { readonly kind: 'gap'; readonly since: Micros }

/**
 * The book after every diff with ts_exchange <= ts. The first diff after `ts` counts too: if it
 * does not continue the book, `ts` is in a gap and the book is unknown.
 */
export async function bookAt(source: DepthSource, ts: Micros): Promise<BookAt> {
  const newest = await source.snapshotBefore(ts)
  const found = newest === undefined ? NO_SNAPSHOT : await replayTo(source, ts, [newest])
  if (found.kind === 'book') return found
  // A snapshot stamped on arrival may belong before `ts`.
  const late = await source.snapshotsAfter(ts, micros(ts + SNAPSHOT_LATE_US))
  if (late.length === 0) return found
  const again = await replayTo(source, ts, newest === undefined ? late : [newest, ...late])
  return again.kind === 'book' ? again : found
}

/** `next` is the first diff after `ts`. It proves nothing if the book already contains it. */
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
  if (stretch === undefined || stretch.from > ts) return { kind: 'gap', since }
  const { book, update_id, ts_exchange } = stretch
  return { kind: 'book', book, update_id, ts_exchange }
}
