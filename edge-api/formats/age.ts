/** Age in milliseconds; 0 if the exchange's clock is ahead of ours. */
import type { Micros } from '#core/time.ts'

export function ageMs(ts: Micros, now: Micros): number {
  return Math.max(0, Math.round((now - ts) / 1_000))
}
