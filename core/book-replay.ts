/**
 * Replays one symbol's recorded depth: the one replay behind the book of a moment, the rows of
 * orderbook_topn and the book columns of features. Pure: no clock, no I/O, and the same rows give
 * the same books however they are read. How ids connect is decided in book-sync.ts.
 *
 * Invariants
 * 1. Diffs come in order of (ts_exchange, final_update_id). The book of a moment holds every diff
 *    with ts_exchange up to it.
 * 2. A snapshot is placed by its id: behind every diff that it contains, before the first one that
 *    continues it. Its time may be later than that of the diffs around it, by SNAPSHOT_LATE_US and
 *    no more, and counts only where no diff continues it. So what a diff does depends on rows up to
 *    SNAPSHOT_LATE_US after it, and on no later one.
 * 3. The book is known between two changes where the second one connects to it, and behind the
 *    last change where nothing follows. Behind a hole it is unknown until a snapshot, or the diffs
 *    that were missing.
 * 4. A snapshot of a known book changes nothing of when it is known.
 * 5. Behind a hole a snapshot makes the book known from its own time on, or from the diff on that
 *    continues it, whichever is earlier.
 */
import { type Levels, OrderBook } from './book.ts'
import {
  type BookState,
  type DepthChange,
  fitOf,
  type Synced,
  takeDiff,
  takeSnapshot,
  unsyncedBook,
} from './book-sync.ts'
import { type Micros, micros, SECOND_US } from './time.ts'

/** A snapshot without a time of its own (spot) has that of its arrival: how late that may be. */
export const SNAPSHOT_LATE_US = 60 * SECOND_US

/** The book is known in [from, to), and did not change there. Empty where `from` is not before `to`. */
export interface Stretch {
  /** Valid until the next diff is taken. */
  readonly book: OrderBook
  /** Id of the newest change in it. */
  readonly update_id: number
  /** The newest of what it is made of. */
  readonly ts_exchange: Micros
  readonly from: Micros
  readonly to: number
  /**
   * False right behind a snapshot that begins a known book, up to the first diff that continues
   * it: `from` is then the snapshot's own time, which may be that of its arrival.
   */
  readonly is_continued: boolean
}

/**
 * update: it changed the known book. found: the book is known again, or for the first time.
 * old: the book holds it already. lost: the book is not known behind it.
 */
export type Outcome = 'update' | 'found' | 'old' | 'lost'

/** A replay as plain data: it holds no book that the next diff changes. */
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

type SavedBook = Pick<Synced, 'last_id' | 'ts_exchange' | 'is_chained'> & { readonly levels: Levels }

/** Snapshots are given ahead of the diffs that they have their place among. */
export class BookReplay {
  #state: BookState = unsyncedBook()
  /** Since when the book has been as it is; undefined while it is not known. */
  #since: Micros | undefined
  /** A snapshot made it known, and no diff has continued it yet. */
  #is_fresh = false
  /** The newest diff that was taken. */
  #last: Pick<DepthChange, 'ts_exchange'> | undefined
  /** Not placed yet, in order of their times. */
  #snapshots: DepthChange[] = []

  /** One that goes on where the other one was saved. */
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
              buffered: [...state.buffered],
              is_wanted: state.is_wanted,
              lost: state.lost === undefined ? undefined : savedBook(state.lost),
            },
      since: this.#since,
      is_fresh: this.#is_fresh,
      last_ts: this.#last?.ts_exchange,
      snapshots: [...this.#snapshots],
    }
  }

  /** As it stands behind the last diff; undefined where it is not known. Changed by the next one. */
  get book(): OrderBook | undefined {
    return this.#state.kind === 'synced' && this.#since !== undefined ? this.#state.book : undefined
  }

  /** Snapshots whose place is among the diffs that come next, in any order. */
  addSnapshots(snapshots: readonly DepthChange[]): void {
    if (snapshots.length === 0) return
    this.#snapshots.push(...snapshots)
    this.#snapshots.sort(
      (a, b) => a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id,
    )
  }

  /** The book up to the next diff; undefined where it is not known, or the diff is in it already. */
  before(diff: DepthChange): Stretch | undefined {
    if (!this.connects(diff)) this.#placeBefore(diff)
    return this.#fitOf(diff) === 'next' ? this.#stretch(diff.ts_exchange) : undefined
  }

  /** Whether the known book goes on with the diff, or holds it already. */
  connects(diff: DepthChange): boolean {
    return this.#since !== undefined && this.#fitOf(diff) !== 'hole'
  }

  /** Takes the next diff. */
  take(diff: DepthChange): Outcome {
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

  /** The book before `to` where no other diff comes; undefined where it is not known. */
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

  /** A book that is not there connects to nothing. */
  #fitOf(diff: DepthChange): ReturnType<typeof fitOf> {
    return this.#state.kind === 'synced' ? fitOf(this.#state, diff) : 'hole'
  }

  #placeBefore(diff: DepthChange): void {
    if (!this.connects(diff)) this.#since = undefined
    if (this.#snapshots.length === 0) return
    const waiting: DepthChange[] = []
    for (const snapshot of this.#snapshots) {
      const fit = fitOf({ last_id: snapshot.final_update_id, is_chained: false }, diff)
      const is_past = snapshot.ts_exchange + SNAPSHOT_LATE_US < diff.ts_exchange
      const is_ahead = snapshot.ts_exchange > diff.ts_exchange + SNAPSHOT_LATE_US
      if (is_ahead) waiting.push(snapshot)
      else if (fit === 'next' || (fit === 'hole' && snapshot.ts_exchange <= diff.ts_exchange)) {
        this.#place(snapshot, fit === 'next')
      } else if (fit === 'hole' || !is_past) waiting.push(snapshot)
    }
    this.#snapshots = waiting
  }

  /** `is_continued`: the diff to come is the first that it does not contain. */
  #place(snapshot: DepthChange, is_continued: boolean): void {
    const before = this.#state
    const is_known = this.#since !== undefined
    // What was heard behind a hole does not matter to one that is continued directly.
    const state = !is_known && is_continued ? unsyncedBook() : before
    const [after] = takeSnapshot(state, snapshot, true)
    this.#state = after
    if (after.kind === 'syncing' || after === before) return
    const is_anew = before.kind === 'synced' && after.last_id < before.last_id
    if (is_known && !is_anew) return
    // Chained: diffs that were taken before continue it.
    this.#is_fresh = !after.is_chained
    const taken_ts = this.#last?.ts_exchange ?? snapshot.ts_exchange
    this.#since = this.#is_fresh ? micros(Math.max(snapshot.ts_exchange, taken_ts)) : taken_ts
  }
}

/** No snapshot is asked for in a replay: there is nothing in `since_asked`. */
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
 * Gives rows in order of (ts_exchange, final_update_id) to a replay: diffs wait for a snapshot
 * that may have its place before them and come later.
 */
export class HeldDiffs {
  readonly #replay: BookReplay
  readonly #onDiff: (diff: DepthChange) => void
  /** Those before `#head` are done. */
  #waiting: DepthChange[] = []
  #head = 0

  /** `onDiff` takes each diff in its turn. */
  constructor(replay: BookReplay, onDiff: (diff: DepthChange) => void) {
    this.#replay = replay
    this.#onDiff = onDiff
  }

  add(row: DepthChange, is_snapshot: boolean): void {
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
