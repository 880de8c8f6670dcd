/** Limits how often we connect, within the exchange's budget of attempts. */

const WINDOW_MS = 300_000

export interface ConnectBudget {
  /** Takes one attempt and returns 0, or takes nothing and returns how long to wait, in ms. */
  take(now_ms: number): number
}

/** At most `attempts_max` attempts in any five minutes, over all sockets of the process. */
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
