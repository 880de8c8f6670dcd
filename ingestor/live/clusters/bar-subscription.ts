/**
 * A client's subscription to footprint bars. It is told of a bar when more was traded in it than
 * its threshold since it was told last, and when the bar is final. A slow reader gets each bar as
 * it is once it reads again.
 */
import type { Follower, Session } from '../session.ts'
import type { ClusterView, SentBar, ViewListener } from './cluster-view.ts'

export class BarSubscription implements Follower, ViewListener {
  readonly stream: ClusterView
  /** Seq of the newest message that was written or queued. */
  sent: number
  readonly #session: Session
  /** Base asset; 0: every change. */
  readonly #threshold: number
  /** Bars that changed later are looked at. */
  #after = 0
  /** By start: the bar as it was told last. */
  readonly #told = new Map<number, SentBar>()

  constructor(session: Session, stream: ClusterView, threshold: number, sent: number) {
    this.#session = session
    this.stream = stream
    this.#threshold = threshold
    this.sent = sent
  }

  /** Goes on with the changes after `seq`. */
  follow(seq: number): void {
    this.#after = seq
    this.stream.listeners.add(this)
    this.catchUp()
  }

  takeChanges(): void {
    if (this.#session.is_behind) this.#session.noteSkipping(this)
    else this.catchUp()
  }

  catchUp(): void {
    this.send(this.stream.after(this.#after).filter((bar) => this.#isDue(bar)))
  }

  send(bars: readonly SentBar[]): void {
    if (bars.length === 0) return
    if (!this.#session.write(this.#session.outlet.encode(this.stream.key, bars))) return
    for (const bar of bars) this.#told.set(bar.ts, bar)
    this.sent = Math.max(this.sent, bars.at(-1)!.seq)
    const oldest = this.stream.oldest_ts
    for (const ts of this.#told.keys()) if (ts < oldest) this.#told.delete(ts)
  }

  restart(): void {
    const text = 'Bars were missed while the cluster engine was away. Resume from these cursors.'
    this.#session.close('failed', text, 'history_unavailable')
  }

  end(): void {
    this.stream.listeners.delete(this)
  }

  #isDue(bar: SentBar): boolean {
    const told = this.#told.get(bar.ts)
    if (told?.seq === bar.seq) return false
    if (bar.is_final || this.#threshold === 0) return true
    return bar.volume - (told?.volume ?? 0) > this.#threshold
  }
}
