/** Waiting: back-off between attempts, and deadlines for answers. */

const DAY_MS = 86_400_000

export interface BackoffSettings {
  readonly backoff_base_ms: number
  readonly backoff_cap_ms: number
}

/**
 * The exponential delay after `failure_count` failures, capped and then shortened at random so that
 * many clients do not return at once. `jitter` is the random share: 1 is "full jitter".
 */
export function backoffMs(
  failure_count: number,
  { backoff_base_ms, backoff_cap_ms }: BackoffSettings,
  random: () => number,
  jitter = 1,
): number {
  // 2^30 exceeds every cap; without this limit a long outage would overflow to Infinity.
  const exponential = backoff_base_ms * 2 ** Math.min(failure_count, 30)
  return Math.min(backoff_cap_ms, exponential) * (1 - jitter + jitter * random())
}

/** A Retry-After header in ms, at most a day; 0 if it is missing or not a number of seconds. */
export function retryAfterMs(header: string | null | undefined): number {
  const seconds = Number(header ?? 0)
  return seconds > 0 ? Math.min(seconds * 1_000, DAY_MS) : 0
}

/** The promise's value, or the error of `late` after the limit. A later outcome is ignored. */
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
