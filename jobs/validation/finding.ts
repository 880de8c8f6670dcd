/** What a check of the recorded data reports. */

export const CHECKS = [
  'structure',
  'ingestors',
  'freshness',
  'quality',
  'frequency',
  'rates',
  'books',
  'clock',
  'datasets',
] as const
export type Check = (typeof CHECKS)[number]

export interface Finding {
  readonly check: Check
  /** Constant that names the kind of finding. */
  readonly code: string
  /** Null if it is not about one table. */
  readonly table_name: string | null
  /** Affected symbols, sorted by name; empty if the finding is about the table. */
  readonly symbols: readonly string[]
  /** What was found and what was expected, as text for people. */
  readonly sentence: string
}

export interface Report {
  readonly checked_at: string
  /** What each check covered, as text such as "12 streams"; null if it was skipped. */
  readonly looked_at: { readonly [check in Check]: string | null }
  /** Number of rows that were checked. */
  readonly row_count: number
  readonly findings: readonly Finding[]
}

/** Length of the checked span, and the age at which data is stale, in seconds. */
export const WINDOW_S = 300
/** A symbol without a row for longer than this is no longer recorded. */
export const RECORDED_S = 86_400

/** The time this many seconds earlier; both ISO. A constant lets the planner skip partitions. */
export function before(now: string, seconds: number): string {
  return new Date(Date.parse(now) - seconds * 1_000).toISOString()
}

/** What one check contributes to the report. */
export interface Checked {
  readonly looked_at: string | null
  readonly row_count: number
  readonly findings: readonly Finding[]
}
