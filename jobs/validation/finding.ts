/** What a check of the recorded data says. */

export const CHECKS = ['structure', 'freshness', 'quality', 'frequency'] as const
export type Check = (typeof CHECKS)[number]

export interface Finding {
  readonly check: Check
  /** A constant: what kind of finding it is. */
  readonly code: string
  /** Null where it is about no single table. */
  readonly table_name: string | null
  /** Whom it concerns, in the order of their names; empty where it is about the table. */
  readonly symbols: readonly string[]
  /** What was found and what was expected, for people. */
  readonly sentence: string
}

export interface Report {
  readonly checked_at: string
  /** What each check looked at, for people: "12 streams"; null where it was skipped. */
  readonly looked_at: { readonly [check in Check]: string | null }
  /** Rows that were looked at. */
  readonly row_count: number
  readonly findings: readonly Finding[]
}

/** The span of time that is looked at, and the age at which data is stale, in seconds. */
export const WINDOW_S = 300
/** A symbol that nobody has heard for longer is not recorded any more. */
export const HEARD_S = 86_400

/** So many seconds before a time; both ISO. A bound that the planner knows spares partitions. */
export function before(now: string, seconds: number): string {
  return new Date(Date.parse(now) - seconds * 1_000).toISOString()
}

/** What one check contributes to the report. */
export interface Checked {
  readonly looked_at: string | null
  readonly row_count: number
  readonly findings: readonly Finding[]
}
