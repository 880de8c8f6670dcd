/** How long to wait: between attempts, and for an answer. */

const DAY_MS = 86_400_000

export interface BackoffSettings {
  readonly backoff_base_ms: number
  readonly backoff_cap_ms: number
}

/**
 * The exponential delay after so many failures, capped and then shortened by chance, so that many
 * clients do not return at once. `jitter` is the share that chance may take: 1 is "full jitter".
 */
export function backoffMs(
  failure_count: number,
  { backoff_base_ms, backoff_cap_ms }: BackoffSettings,
  random: () => number,
  jitter = 1,
): number {
  // 2^30 is past every cap, and stays a number however long the other side is away.
  const exponential = backoff_base_ms * 2 ** Math.min(failure_count, 30)
  return Math.min(backoff_cap_ms, exponential) * (1 - jitter + jitter * random())
}

/** A Retry-After header in ms: 0 where it is missing or no number of seconds, a day at most. */
export function retryAfterMs(header: string | null | undefined): number {
  const seconds = Number(header ?? 0)
  return seconds > 0 ? Math.min(seconds * 1_000, DAY_MS) : 0
}

/** The promise's value, or the error `late` once the limit is over. The race takes what comes later. */
export async function withDeadline<T>(
  promise: Promise<T>,
  limit_ms: number,
  late: () => Error,
): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(late()), limit_ms)
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
