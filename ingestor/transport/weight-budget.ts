/**
 * Decides how much REST weight may be spent now. Pure: time is an argument.
 *
 * The exchange counts per address and fixed minute. We count our requests over a sliding sixty
 * seconds, which no fixed minute can exceed. If the exchange's header reports more, we use that:
 * others behind the same address share the budget. Each priority has a share, so a flood of
 * backfill cannot delay a listing or a book snapshot.
 */
export type Priority = 'high' | 'normal' | 'low'

const MINUTE_MS = 60_000
const SHARES: { readonly [priority in Priority]: number } = { high: 0.95, normal: 0.8, low: 0.5 }

export interface WeightBudget {
  /** Spends the weight and returns 0, or spends nothing and returns how long to wait, in ms. */
  take(weight: number, priority: Priority, now_ms: number): number
  /** Takes the exchange's count from an answer's header. */
  noteUsed(used_weight: number, now_ms: number): void
  /** Blocks requests until this time, after 429 or 418. */
  block(until_ms: number): void
  used(now_ms: number): number
}

interface Spent {
  readonly at_ms: number
  readonly weight: number
}

export function createWeightBudget(weight_per_minute_max: number): WeightBudget {
  let spent: Spent[] = []
  let reported: Spent = { at_ms: Number.NEGATIVE_INFINITY, weight: 0 }
  let blocked_until_ms = Number.NEGATIVE_INFINITY

  const used = (now_ms: number): number => {
    spent = spent.filter((one) => now_ms - one.at_ms < MINUTE_MS)
    const ours = sumOf(spent)
    if (now_ms - reported.at_ms >= MINUTE_MS) return ours
    const since = sumOf(spent.filter((one) => one.at_ms > reported.at_ms))
    return Math.max(ours, reported.weight + since)
  }
  const untilSomethingExpires = (now_ms: number): number => {
    const counted = [...spent, reported].filter((one) => now_ms - one.at_ms < MINUTE_MS)
    return Math.min(...counted.map((one) => one.at_ms)) + MINUTE_MS - now_ms
  }

  return {
    take(weight, priority, now_ms) {
      if (now_ms < blocked_until_ms) return blocked_until_ms - now_ms
      const limit = weight_per_minute_max * SHARES[priority]
      const spent_weight = used(now_ms)
      // A request that exceeds its whole share is sent once nothing else is counted.
      if (spent_weight > 0 && spent_weight + weight > limit) return untilSomethingExpires(now_ms)
      spent.push({ at_ms: now_ms, weight })
      return 0
    },
    noteUsed(used_weight, now_ms) {
      reported = { at_ms: now_ms, weight: used_weight }
    },
    block(until_ms) {
      blocked_until_ms = Math.max(blocked_until_ms, until_ms)
    },
    used,
  }
}

function sumOf(spent: readonly Spent[]): number {
  return spent.reduce((sum, one) => sum + one.weight, 0)
}
