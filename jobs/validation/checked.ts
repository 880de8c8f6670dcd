/** What one check contributes to the report, and the spans that the checks look at. */
import type { Finding } from '#core/validation.ts'

/** Length of the checked span, and the age at which data is stale, in seconds. */
export const WINDOW_S = 300
/** A symbol without a row for longer than this is no longer recorded. */
export const RECORDED_S = 86_400

/** The time this many seconds earlier; both ISO. A constant lets the planner skip partitions. */
export function before(now: string, seconds: number): string {
  return new Date(Date.parse(now) - seconds * 1_000).toISOString()
}

export interface Checked {
  readonly looked_at: string | null
  readonly row_count: number
  readonly findings: readonly Finding[]
}
