/** How fast we may knock: back-off between attempts, and the exchange's budget of attempts. */
import type { TransportSettings } from './settings.ts'

const WINDOW_MS = 300_000
const DAY_MS = 86_400_000

/** Full jitter: anything from 0 to the capped exponential; many clients do not return as one. */
export function backoffMs(
  failure_count: number,
  settings: Pick<TransportSettings, 'backoff_base_ms' | 'backoff_cap_ms'>,
  random: () => number,
): number {
  // 2^30 is past every cap, and stays a number however long the exchange is away.
  const exponential = settings.backoff_base_ms * 2 ** Math.min(failure_count, 30)
  return random() * Math.min(settings.backoff_cap_ms, exponential)
}

/** A Retry-After header in ms: 0 where it is missing or no number of seconds, a day at most. */
export function retryAfterMs(header: string | null | undefined): number {
  const seconds = Number(header ?? 0)
  return seconds > 0 ? Math.min(seconds * 1_000, DAY_MS) : 0
}

export interface ConnectBudget {
  /** Takes one attempt and answers 0, or takes nothing and answers how long to wait, in ms. */
  take(now_ms: number): number
}

/** At most so many attempts in any five minutes, over all sockets of the process. */
export function createConnectBudget(attempts_max: number): ConnectBudget {
  const taken_ms: number[] = []
  return {
    take(now_ms) {
      while (taken_ms.length > 0 && now_ms - taken_ms[0]! >= WINDOW_MS) taken_ms.shift()
      if (taken_ms.length >= attempts_max) return taken_ms[0]! + WINDOW_MS - now_ms
      taken_ms.push(now_ms)
      return 0
    },
  }
}
