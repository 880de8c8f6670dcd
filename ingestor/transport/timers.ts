/** Delays and the monotonic clock as an argument, so that tests decide when time passes. */

export interface Timers {
  /** Monotonic, in ms; only differences mean something. */
  now_ms(): number
  /** Calls `run` once after the delay; the answer cancels it. */
  after(delay_ms: number, run: () => void): () => void
  /** Calls `run` again and again; the answer ends it. */
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
