/**
 * The report of a check of the recorded data: jobs write it, the edge API and the console show it.
 */

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

/** A finding with at most REPORTED_SYMBOLS_MAX of its symbols. */
export interface ReportedFinding extends Finding {
  /** Of all affected symbols. */
  readonly symbol_count: number
}

export interface Report {
  /** ISO. */
  readonly checked_at: string
  /** What each check covered, as text such as "12 streams"; null if it was skipped. */
  readonly looked_at: { readonly [check in Check]: string | null }
  /** Number of rows that were checked. */
  readonly row_count: number
  readonly findings: readonly ReportedFinding[]
}

/** Keeps a report small enough for every reader: some hundred kilobytes at most. */
export const REPORTED_SYMBOLS_MAX = 500

/** How often jobs store a report [s]. */
export const REPORT_EVERY_S = 300
/** A stored report that is older says that the checks do not run [s]. */
export const REPORT_STALE_S = 2 * REPORT_EVERY_S + 60
