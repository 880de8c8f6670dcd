/**
 * The ingestor's time from receipt to commit, from its metrics: what clients cost the recording.
 */
import type { StackFile } from '../../../infra/local/data-dir.ts'

export interface LagReading {
  readonly count: number
  readonly sum_s: number
  /** Batches up to each limit. */
  readonly buckets: readonly (readonly [limit_s: number, count: number])[]
}

export async function readLag({ environments }: StackFile): Promise<LagReading> {
  const { METRICS_PORT, METRICS_TOKENS } = environments['ingestor']!
  const headers = { authorization: `Bearer ${METRICS_TOKENS!.split(':')[2]}` }
  const text = await (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`, { headers })).text()
  const valueOf = (name: string): number =>
    Number(new RegExp(`^ingestor_commit_lag_seconds_${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
  const buckets = [...text.matchAll(/^ingestor_commit_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)]
  return {
    count: valueOf('count'),
    sum_s: valueOf('sum'),
    buckets: buckets.map(([, limit, count]) => [
      limit === '+Inf' ? Infinity : Number(limit),
      Number(count),
    ]),
  }
}

/** The mean, and the bucket in which the 99th percentile lies, between two readings [ms]. */
export function lagBetween(before: LagReading, after: LagReading): object {
  const count = after.count - before.count
  const within = after.buckets.find(
    ([, total], index) => total - (before.buckets[index]?.[1] ?? 0) >= count * 0.99,
  )
  return {
    batches: count,
    mean_ms: Math.round(((after.sum_s - before.sum_s) / count) * 10_000) / 10,
    p99_below_ms: (within?.[0] ?? Infinity) * 1_000,
  }
}
