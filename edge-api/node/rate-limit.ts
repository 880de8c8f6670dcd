/** Rate limits in the memory of this process: requests of a key in windows of ten seconds. */
import type { RateLimit } from '../access/guard.ts'

const WINDOW_MS = 10_000

export function createRateLimit(count_max: number, now_ms: () => number): RateLimit {
  let counts = new Map<string, number>()
  let window = 0
  return async (key) => {
    const current = Math.floor(now_ms() / WINDOW_MS)
    if (current !== window) {
      counts = new Map()
      window = current
    }
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    return count <= count_max
  }
}
