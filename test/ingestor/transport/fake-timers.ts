/** Timers that stand still until a test moves them. */
import type { Timers } from '../../../ingestor/transport/timers.ts'

interface Pending {
  at_ms: number
  readonly interval_ms: number | undefined
  readonly run: () => void
}

export class FakeTimers implements Timers {
  #now_ms = 0
  readonly #pending = new Set<Pending>()

  now_ms(): number {
    return this.#now_ms
  }

  after(delay_ms: number, run: () => void): () => void {
    return this.#add({ at_ms: this.#now_ms + delay_ms, interval_ms: undefined, run })
  }

  every(interval_ms: number, run: () => void): () => void {
    return this.#add({ at_ms: this.#now_ms + interval_ms, interval_ms, run })
  }

  /** Advances time and runs what is due, in order. */
  advance(duration_ms: number): void {
    const end_ms = this.#now_ms + duration_ms
    for (;;) {
      const due = [...this.#pending]
        .filter((one) => one.at_ms <= end_ms)
        .toSorted((a, b) => a.at_ms - b.at_ms)[0]
      if (due === undefined) break
      this.#now_ms = due.at_ms
      if (due.interval_ms === undefined) this.#pending.delete(due)
      else due.at_ms += due.interval_ms
      due.run()
    }
    this.#now_ms = end_ms
  }

  #add(pending: Pending): () => void {
    this.#pending.add(pending)
    return () => this.#pending.delete(pending)
  }
}
