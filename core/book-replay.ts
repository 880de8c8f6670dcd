/**
 * Replays one symbol's recorded depth. Book queries, orderbook_topn and the book columns of
 * features all use this replay. Pure: no clock, no I/O; the same rows give the same books however
 * they are read. book-sync.ts decides how ids connect.
 *
 * Invariants
 * 1. Diffs arrive in order of (ts_exchange, final_update_id). The book at time t contains every
 *    diff with ts_exchange <= t.
 * 2. A snapshot is placed by its id: after every diff it contains, before the first diff that
 *    continues it. Its time may be up to SNAPSHOT_LATE_US later than the diffs around it, and
 *    counts only if no diff continues it. So the effect of a diff depends on rows up to
 *    SNAPSHOT_LATE_US after it, and on none later.
 * 3. The book is known between two changes if the second continues the first, and after the last
 *    change if nothing follows. After a gap it is unknown until a snapshot or the missing diffs
 *    arrive.
 * 4. A snapshot of a known book does not change when the book is known.
 * 5. After a gap, a snapshot makes the book known from the snapshot's own time, or from the diff
 *    that continues it, whichever is earlier.
 */
import { type Levels, OrderBook, pairsOf } from './book.ts'
import {
  type AnyDepthChange,
  type BookState,
  type DepthChange,
  fitOf,
  type Synced,
  takeDiff,
  takeSnapshot,
  unsyncedBook,
} from './book-sync.ts'
import { type Micros, micros, SECOND_US } from './time.ts'

/** How late a snapshot's time may be: spot snapshots carry no time and are stamped on arrival. */
export const SNAPSHOT_LATE_US = 60 * SECOND_US

/** A time range [from, to) with one known, unchanged book. Empty if from >= to. */
export interface Stretch {
  /** Valid until the next diff is taken. */
  readonly book: OrderBook
  /** Id of the newest change in the book. */
  readonly update_id: number
  /** The latest ts_exchange of the rows in the book. */
  readonly ts_exchange: Micros
  readonly from: Micros
  readonly to: number
  /**
   * False between a snapshot that makes the book known and the first diff that continues it. `from`
   * is then the snapshot's own time, which may be its arrival time.
   */
  readonly is_continued: boolean
}

/**
 * update: the diff changed a known book. found: the book became known. old: the book already
 * contained the diff. lost: the book is unknown after the diff.
 */
export type Outcome = 'update' | 'found' | 'old' | 'lost'

/** A replay as plain data; later diffs do not change it. */
export interface SavedReplay {
  readonly state:
    | ({ readonly kind: 'synced' } & SavedBook)
    | {
        readonly kind: 'syncing'
        readonly buffered: readonly DepthChange[]
        readonly is_wanted: boolean
        readonly lost: SavedBook | undefined
      }
  readonly since: Micros | undefined
  readonly is_fresh: boolean
  readonly last_ts: Micros | undefined
  /** Not placed yet. */
  readonly snapshots: readonly DepthChange[]
}

type SavedBook = Pick<Synced, 'last_id' | 'ts_exchange' | 'is_chained'> & {
  readonly levels: Levels
}

/** The caller adds each snapshot before the diffs around it. */
export class BookReplay {
  #state: BookState = unsyncedBook()
  /** Start of the current book's validity; undefined while the book is unknown. */
  #since: Micros | undefined
  /** A snapshot made the book known, and no diff has continued it yet. */
  #is_fresh = false
  /** The newest diff taken. */
  #last: Pick<AnyDepthChange, 'ts_exchange'> | undefined
  /** Not placed yet, sorted by time. */
  #snapshots: AnyDepthChange[] = []

  /** A replay that continues from a saved one. */
  static from({ state, since, is_fresh, last_ts, snapshots }: SavedReplay): BookReplay {
    const replay = new BookReplay()
    replay.#state =
      state.kind === 'synced'
        ? restoredBook(state)
        : {
            kind: 'syncing',
            buffered: [...state.buffered],
            is_wanted: state.is_wanted,
            lost: state.lost === undefined ? undefined : restoredBook(state.lost),
          }
    replay.#since = since
    replay.#is_fresh = is_fresh
    replay.#last = last_ts === undefined ? undefined : { ts_exchange: last_ts }
    replay.#snapshots = [...snapshots]
    return replay
  }

  save(): SavedReplay {
    const state = this.#state
    return {
      state:
        state.kind === 'synced'
          ? { kind: 'synced', ...savedBook(state) }
          : {
              kind: 'syncing',
              buffered: state.buffered.map(withPairs),
              is_wanted: state.is_wanted,
              lost: state.lost === undefined ? undefined : savedBook(state.lost),
            },
      since: this.#since,
      is_fresh: this.#is_fresh,
      last_ts: this.#last?.ts_exchange,
      snapshots: this.#snapshots.map(withPairs),
    }
  }

  /** The book after the last diff; undefined if unknown. The next diff changes it in place. */
  get book(): OrderBook | undefined {
    return this.#state.kind === 'synced' && this.#since !== undefined ? this.#state.book : undefined
  }

  /** Adds snapshots that belong among the next diffs, in any order. */
  addSnapshots(snapshots: readonly AnyDepthChange[]): void {
    if (snapshots.length === 0) return
    this.#snapshots.push(...snapshots)
    this.#snapshots.sort(
      (a, b) => a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id,
    )
  }

  /** The book up to the next diff; undefined if it is unknown or already contains the diff. */
  before(diff: AnyDepthChange): Stretch | undefined {
    if (!this.connects(diff)) this.#placeBefore(diff)
    return this.#fitOf(diff) === 'next' ? this.#stretch(diff.ts_exchange) : undefined
  }

  /** Whether the book is known, and the diff continues it or is already in it. */
  connects(diff: AnyDepthChange): boolean {
    return this.#since !== undefined && this.#fitOf(diff) !== 'gap'
  }

  take(diff: AnyDepthChange): Outcome {
    this.#placeBefore(diff)
    const fit = this.#fitOf(diff)
    const is_found = this.#since === undefined || this.#is_fresh
    ;[this.#state] = takeDiff(this.#state, diff)
    this.#last = diff
    if (this.#state.kind === 'syncing') {
      this.#since = undefined
      return 'lost'
    }
    if (fit === 'old') return 'old'
    this.#since = diff.ts_exchange
    this.#is_fresh = false
    return is_found ? 'found' : 'update'
  }

  /** The book up to `to` if no more diffs come; undefined if unknown. */
  end(to: number): Stretch | undefined {
    const due = this.#snapshots.filter((snapshot) => snapshot.ts_exchange < to)
    this.#snapshots = this.#snapshots.filter((snapshot) => snapshot.ts_exchange >= to)
    for (const snapshot of due) this.#place(snapshot, false)
    return this.#stretch(to)
  }

  #stretch(to: number): Stretch | undefined {
    if (this.#state.kind === 'syncing' || this.#since === undefined) return undefined
    const { book, last_id: update_id, ts_exchange } = this.#state
    const span = { from: this.#since, to, is_continued: !this.#is_fresh }
    return { book, update_id, ts_exchange, ...span }
  }

  /** Without a book, every diff is after a gap. */
  #fitOf(diff: AnyDepthChange): ReturnType<typeof fitOf> {
    return this.#state.kind === 'synced' ? fitOf(this.#state, diff) : 'gap'
  }

  #placeBefore(diff: AnyDepthChange): void {
    if (!this.connects(diff)) this.#since = undefined
    if (this.#snapshots.length === 0) return
    const waiting: AnyDepthChange[] = []
    for (const snapshot of this.#snapshots) {
      const fit = fitOf({ last_id: snapshot.final_update_id, is_chained: false }, diff)
      const is_past = snapshot.ts_exchange + SNAPSHOT_LATE_US < diff.ts_exchange
      const is_ahead = snapshot.ts_exchange > diff.ts_exchange + SNAPSHOT_LATE_US
      if (is_ahead) waiting.push(snapshot)
      else if (fit === 'next' || (fit === 'gap' && snapshot.ts_exchange <= diff.ts_exchange)) {
        this.#place(snapshot, fit === 'next')
      } else if (fit === 'gap' || !is_past) waiting.push(snapshot)
    }
    this.#snapshots = waiting
  }

  /** `is_continued`: the next diff is the first one that the snapshot does not contain. */
  #place(snapshot: AnyDepthChange, is_continued: boolean): void {
    const before = this.#state
    const is_known = this.#since !== undefined
    // Diffs buffered after a gap do not matter if the next diff directly continues the snapshot.
    const state = !is_known && is_continued ? unsyncedBook() : before
    const [after] = takeSnapshot(state, snapshot, true)
    this.#state = after
    if (after.kind === 'syncing' || after === before) return
    const is_renumbered = before.kind === 'synced' && after.last_id < before.last_id
    if (is_known && !is_renumbered) return
    // Chained: diffs taken earlier continue the snapshot.
    this.#is_fresh = !after.is_chained
    const taken_ts = this.#last?.ts_exchange ?? snapshot.ts_exchange
    this.#since = this.#is_fresh ? micros(Math.max(snapshot.ts_exchange, taken_ts)) : taken_ts
  }
}

/** Flat levels would keep the columns of a whole row group. */
function withPairs(change: AnyDepthChange): DepthChange {
  return { ...change, bids: pairsOf(change.bids), asks: pairsOf(change.asks) }
}

/** A replay never requests a snapshot, so `since_asked` is not saved. */
function savedBook({ book, last_id, ts_exchange, is_chained }: Synced): SavedBook {
  const levelsOf = (side: 'bids' | 'asks'): Levels['bids'] => book[side].top(book[side].level_count)
  const levels = { bids: levelsOf('bids'), asks: levelsOf('asks') }
  return { levels, last_id, ts_exchange, is_chained }
}

function restoredBook({ levels, last_id, ts_exchange, is_chained }: SavedBook): Synced {
  const book = new OrderBook()
  book.replace(levels)
  return { kind: 'synced', book, last_id, ts_exchange, is_chained, since_asked: undefined }
}

/**
 * Feeds a replay with rows in order of (ts_exchange, final_update_id). It holds each diff back for
 * SNAPSHOT_LATE_US, because a snapshot that belongs before the diff may come later.
 */
export class HeldDiffs<Diff extends AnyDepthChange = AnyDepthChange> {
  readonly #replay: Pick<BookReplay, 'addSnapshots'>
  readonly #onDiff: (diff: Diff) => void
  /** Entries before `#head` have been released. */
  #waiting: Diff[] = []
  #head = 0

  /** `onDiff` receives the diffs in order. */
  constructor(replay: Pick<BookReplay, 'addSnapshots'>, onDiff: (diff: Diff) => void) {
    this.#replay = replay
    this.#onDiff = onDiff
  }

  add(row: Diff, is_snapshot: boolean): void {
    if (is_snapshot) this.#replay.addSnapshots([row])
    else this.#waiting.push(row)
    this.releaseBefore(row.ts_exchange - SNAPSHOT_LATE_US)
  }

  releaseBefore(ts: number): void {
    while (this.#head < this.#waiting.length && this.#waiting[this.#head]!.ts_exchange < ts) {
      this.#onDiff(this.#waiting[this.#head]!)
      this.#head += 1
    }
    if (this.#head < this.#waiting.length / 2) return
    this.#waiting = this.#waiting.slice(this.#head)
    this.#head = 0
  }
}
