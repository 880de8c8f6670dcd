/** How the local stack keeps Postgres to its disk budget, and what it promises. */
import { POSTGRES_SETTINGS } from './postgres.ts'

/** Log and checkpoints small, and rollups by the hour, so that they can leave by the hour. */
export const LOCAL_POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  ...POSTGRES_SETTINGS,
  max_wal_size: '256MB',
  'booktape.rollup_partition': 'hour',
}

/** Of Postgres beside its hourly partitions: the write-ahead log, the catalog, small tables. */
const OTHERS_GB = 0.5
const PARTITIONS_GB_MIN = 0.05
/** Rows of a local stack come at once: an hour is archived when it has been over for so long. */
const ARCHIVE_DELAY_S = 120
/** Of an event of the simulated market and what is made from it, indexes included. */
const BYTES_PER_EVENT = 400
/** From an hour's begin until it was archived and may go. */
const HOT_S_MAX = 3_900

/** Settings of the jobs daemon. */
export function jobsSettings(disk_budget_gb: number): Readonly<Record<string, string>> {
  const partitions_gb = Math.max(PARTITIONS_GB_MIN, disk_budget_gb - OTHERS_GB)
  return {
    RAW_DISK_BUDGET_GB: disk_budget_gb === 0 ? '0' : String(partitions_gb),
    ARCHIVE_DELAY_S: String(ARCHIVE_DELAY_S),
  }
}

/** `events_per_s` is undefined where nobody knows how much will come. */
export function budgetLine(disk_budget_gb: number, events_per_s: number | undefined): string {
  if (disk_budget_gb === 0) return 'no limit for Postgres (--disk-budget)'
  const promise =
    `${disk_budget_gb} GB for Postgres (--disk-budget): above it the oldest hours leave it, ` +
    'archived ones only'
  const hot_gb = ((events_per_s ?? 0) * HOT_S_MAX * BYTES_PER_EVENT) / 1e9 + OTHERS_GB
  if (events_per_s === undefined) return `${promise}; the hour that is on always stays`
  if (hot_gb <= disk_budget_gb * 1.1) return promise
  return `${promise}; at this rate the hour that is on takes it to ${hot_gb.toFixed(1)} GB`
}
