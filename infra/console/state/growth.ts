/** Growth of the partitions of Postgres between two reads. Dropped partitions do not count. */
import type { RetentionPlan } from '../../../jobs/retention/retention-plan.ts'

export interface GrowthBook {
  /** Bytes per hour; null until there are enough reads. */
  add(plan: RetentionPlan, now_ms: number): number | null
}

const MEMORY_MS = 600_000
const SPAN_MS_MIN = 20_000

export function createGrowthBook(): GrowthBook {
  let before: { readonly at_ms: number; readonly sizes: ReadonlyMap<string, number> } | undefined
  let bytes_per_ms: number | undefined
  return {
    add({ partitions }, now_ms) {
      const sizes = new Map(partitions.map(({ state }) => [state.partition, state.byte_count]))
      const passed_ms = now_ms - (before?.at_ms ?? now_ms)
      if (before !== undefined && passed_ms >= SPAN_MS_MIN) {
        const { sizes: old } = before
        const grown = [...sizes].reduce(
          (sum, [name, size]) => sum + Math.max(0, size - (old.get(name) ?? 0)),
          0,
        )
        const rate = grown / passed_ms
        const share = 1 - Math.exp(-passed_ms / MEMORY_MS)
        bytes_per_ms =
          bytes_per_ms === undefined ? rate : bytes_per_ms + share * (rate - bytes_per_ms)
      }
      if (before === undefined || passed_ms >= SPAN_MS_MIN) before = { at_ms: now_ms, sizes }
      return bytes_per_ms === undefined ? null : bytes_per_ms * 3_600_000
    },
  }
}
