/** The disk budget of the local stack's Postgres: settings, and the line shown at the start. */
import { POSTGRES_SETTINGS } from './postgres.ts'

/** A small write-ahead log, and rollup partitions of an hour, so that they can be dropped soon. */
export const LOCAL_POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  ...POSTGRES_SETTINGS,
  max_wal_size: '256MB',
  'booktape.rollup_partition': 'hour',
}

/** Disk space besides the hourly partitions: the write-ahead log, the catalog, small tables. */
const OTHERS_GB = 0.5
const PARTITIONS_GB_MIN = 0.05
/** Rows of a local stack arrive without delay, so an hour is archived this soon after it ends. */
const ARCHIVE_DELAY_S = 120
/** Disk space of one simulated event with its derived rows and indexes. */
const BYTES_PER_EVENT = 400
/** From the start of an hour until it is archived and can be dropped. */
const HOT_S_MAX = 3_900

/** Settings for the jobs daemon. */
export function jobsSettings(disk_budget_gb: number): Readonly<Record<string, string>> {
  const partitions_gb = Math.max(PARTITIONS_GB_MIN, disk_budget_gb - OTHERS_GB)
  return {
    RAW_DISK_BUDGET_GB: disk_budget_gb === 0 ? '0' : String(partitions_gb),
    ARCHIVE_DELAY_S: String(ARCHIVE_DELAY_S),
  }
}

/** `events_per_s` is undefined if the rate is unknown. */
export function budgetLine(disk_budget_gb: number, events_per_s: number | undefined): string {
  if (disk_budget_gb === 0) return 'no limit for Postgres (--disk-budget)'
  const promise =
    `${disk_budget_gb} GB for Postgres (--disk-budget): above it, the oldest archived hours are ` +
    'dropped'
  const hot_gb = ((events_per_s ?? 0) * HOT_S_MAX * BYTES_PER_EVENT) / 1e9 + OTHERS_GB
  if (events_per_s === undefined) return `${promise}; the current hour always stays`
  if (hot_gb <= disk_budget_gb * 1.1) return promise
  return `${promise}; at this rate, the current hour needs up to ${hot_gb.toFixed(1)} GB`
}
