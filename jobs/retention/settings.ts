/** How long partitions stay, and how much disk they may use. */
import { z } from 'zod'
import { decimal, type Env, readEnvironment, whole } from '#core/environment.ts'
import { SECOND_US } from '#core/time.ts'

export interface RetentionSettings {
  /** Limit of all hourly partitions together [bytes]; the oldest are dropped first. 0: no limit. */
  readonly budget_bytes: number
  /** Days until a partition is dropped; 0: age does not matter. */
  readonly days: { readonly [kind in RetentionKind]: number }
  /** The same for partitions of clusters, which are not archived: trades give them again. */
  readonly clusters_days: number
  /** How long after an hour's end its rows do not count as late. */
  readonly settle_us: number
}

/** `depth` is far larger than other raw tables; `rollups` are far smaller. */
export type RetentionKind = 'raw' | 'depth' | 'rollups'

const GIGABYTE = 1_000_000_000
const days = { min: 0, max: 3_650, what: 'whole days' }

/** Variables of the daemon's environment. */
export const RETENTION_VARIABLES = {
  RAW_DISK_BUDGET_GB: decimal({ min: 0, max: 100_000, standard: 7, what: 'gigabytes' }),
  RETENTION_DAYS_RAW: whole({ ...days, standard: 30 }),
  RETENTION_DAYS_DEPTH: whole({ ...days, standard: 7 }),
  RETENTION_DAYS_ROLLUPS: whole({ ...days, standard: 180 }),
  RETENTION_DAYS_CLUSTERS: whole({ ...days, standard: 7 }),
  /** Time from an hour's end until the archive takes it and retention may consider it. */
  ARCHIVE_DELAY_S: whole({ min: 60, max: 86_400, standard: 3_600, what: 'whole seconds' }),
}

const Variables = z.object(RETENTION_VARIABLES)

/** The settings that a manual run needs from the daemon's environment. */
export function parseRetentionSettings(env: Env): RetentionSettings {
  const hint = 'Set them in the environment.'
  return retentionSettings(readEnvironment(Variables, env, 'Settings of retention', hint))
}

export function retentionSettings(read: z.output<typeof Variables>): RetentionSettings {
  return Object.freeze({
    budget_bytes: read.RAW_DISK_BUDGET_GB * GIGABYTE,
    days: Object.freeze({
      raw: read.RETENTION_DAYS_RAW,
      depth: read.RETENTION_DAYS_DEPTH,
      rollups: read.RETENTION_DAYS_ROLLUPS,
    }),
    clusters_days: read.RETENTION_DAYS_CLUSTERS,
    settle_us: read.ARCHIVE_DELAY_S * SECOND_US,
  })
}
