/**
 * Lets callers fail at once while what they need is known to be away. After a failure nobody is
 * let through for a pause; then one caller tries, and the others wait for how that ends.
 */
export class Breaker {
  readonly #pause_ms: number
  readonly #now: () => number
  /** Undefined while all is well. */
  #closed_until: number | undefined

  /** `now` in milliseconds, of any clock. */
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

  succeeded(): void {
    this.#closed_until = undefined
  }

  failed(): void {
    this.#closed_until = this.#now() + this.#pause_ms
  }
}
