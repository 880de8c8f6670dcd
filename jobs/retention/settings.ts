/** How long partitions stay, and how much disk they may take. */
import { OperatorError } from '#core/errors.ts'
import { SECOND_US } from '#core/time.ts'

export interface RetentionSettings {
  /** Bytes of all hourly partitions together; above it the oldest go. 0: no limit. */
  readonly budget_bytes: number
  /** Days after which a partition goes; 0: none goes by its age. */
  readonly days: { readonly [kind in RetentionKind]: number }
  /** How long after an hour's end it may still get rows that are not late ones. */
  readonly settle_us: number
}

/** `depth` is much larger than the other raw tables, and `rollups` are much smaller. */
export type RetentionKind = 'raw' | 'depth' | 'rollups'

type Env = Readonly<Record<string, string | undefined>>

const GIGABYTE = 1_000_000_000
const BUDGET_GB_MAX = 100_000
const DAYS_MAX = 3_650
const DELAY_MIN_S = 60
const DELAY_MAX_S = 86_400

/** What of the daemon's environment a run by hand needs. */
export function parseRetentionSettings(env: Env): RetentionSettings {
  const problems: string[] = []
  const settings = parseRetention(env, problems)
  if (problems.length === 0) return settings
  throw new OperatorError('bad_config', `Settings of retention: ${problems.join('; ')}.`, {
    hint: 'Set them in the environment.',
  })
}

export function parseRetention(env: Env, problems: string[]): RetentionSettings {
  const budget_gb = Number(env['RAW_DISK_BUDGET_GB'] ?? '20')
  if (!(budget_gb >= 0 && budget_gb <= BUDGET_GB_MAX)) {
    problems.push(
      `RAW_DISK_BUDGET_GB is '${env['RAW_DISK_BUDGET_GB']}', expected gigabytes from 0 to ${BUDGET_GB_MAX}`,
    )
  }
  const days = (name: string, standard: number): number => {
    const value = Number(env[name] ?? standard)
    if (!Number.isInteger(value) || value < 0 || value > DAYS_MAX) {
      problems.push(`${name} is '${env[name]}', expected whole days from 0 to ${DAYS_MAX}`)
    }
    return value
  }
  return Object.freeze({
    budget_bytes: budget_gb * GIGABYTE,
    days: Object.freeze({
      raw: days('RETENTION_DAYS_RAW', 30),
      depth: days('RETENTION_DAYS_DEPTH', 7),
      rollups: days('RETENTION_DAYS_ROLLUPS', 180),
    }),
    settle_us: parseArchiveDelay(env, problems),
  })
}

/** Microseconds from an hour's end until the archive takes it, and retention may look at it. */
export function parseArchiveDelay(env: Env, problems: string[]): number {
  const delay_s = Number(env['ARCHIVE_DELAY_S'] ?? '3600')
  if (!Number.isInteger(delay_s) || delay_s < DELAY_MIN_S || delay_s > DELAY_MAX_S) {
    problems.push(
      `ARCHIVE_DELAY_S is '${env['ARCHIVE_DELAY_S']}', ` +
        `expected whole seconds from ${DELAY_MIN_S} to ${DELAY_MAX_S}`,
    )
  }
  return delay_s * SECOND_US
}
