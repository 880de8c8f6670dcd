/** Runs one call with many concurrent callers and measures latencies. */
import { quantile } from '../quantile.ts'

export interface Timing {
  readonly callers: number
  readonly per_s: number
  readonly p50_ms: number
  readonly p99_ms: number
}

export async function measure(
  callers: number,
  duration_ms: number,
  call: () => Promise<unknown>,
): Promise<Timing> {
  const waits: number[] = []
  // Warm-up: connections and JIT compilation are not measured.
  await Promise.all(Array.from({ length: callers }, call))
  const begun = performance.now()
  const until = begun + duration_ms
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let at = performance.now(); at < until; at = performance.now()) {
        await call()
        waits.push(performance.now() - at)
      }
    }),
  )
  const elapsed_s = (performance.now() - begun) / 1_000
  waits.sort((a, b) => a - b)
  return {
    callers,
    per_s: waits.length / elapsed_s,
    p50_ms: quantile(waits, 0.5),
    p99_ms: quantile(waits, 0.99),
  }
}
