/**
 * A circuit breaker: callers fail at once while a dependency is known to be down. After a failure
 * it blocks every call for a pause, then lets one call through as a probe. Other calls stay blocked
 * until that probe succeeds or another pause has passed.
 */
export class Breaker {
  readonly #pause_ms: number
  readonly #now: () => number
  /** Undefined while calls succeed. */
  #closed_until: number | undefined

  /** `now` returns milliseconds of any clock. */
  constructor(pause_ms: number, now: () => number) {
    this.#pause_ms = pause_ms
    this.#now = now
  }

  /** False: do not try. True for one caller after each pause. */
  allows(): boolean {
    if (this.#closed_until === undefined) return true
    if (this.#now() < this.#closed_until) return false
    this.#closed_until = this.#now() + this.#pause_ms
    return true
  }

  /** False from a failure until a call succeeds. */
  get is_trusting(): boolean {
    return this.#closed_until === undefined
  }

  succeeded(): void {
    this.#closed_until = undefined
  }

  failed(): void {
    this.#closed_until = this.#now() + this.#pause_ms
  }
}
