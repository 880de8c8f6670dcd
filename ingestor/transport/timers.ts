/** Delays and the monotonic clock as an argument, so tests control time. */

export interface Timers {
  /** Monotonic, in ms. Only differences have a meaning. */
  now_ms(): number
  /** Calls `run` once after the delay. Returns a function that cancels it. */
  after(delay_ms: number, run: () => void): () => void
  /** Calls `run` at every interval. Returns a function that ends it. */
  every(interval_ms: number, run: () => void): () => void
}

export const systemTimers: Timers = {
  now_ms: () => performance.now(),
  after(delay_ms, run) {
    const timer = setTimeout(run, delay_ms)
    return () => clearTimeout(timer)
  },
  every(interval_ms, run) {
    const timer = setInterval(run, interval_ms)
    return () => clearInterval(timer)
  },
}
