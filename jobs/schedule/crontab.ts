/** When each job of the queue runs, in the words of a crontab (UTC), and when it does so next. */
import { ARCHIVE_JOB } from '../archive/run-archive.ts'
import { BACKUP_JOB } from '../backup/run-backup.ts'
import { SWEEP_JOB } from '../datasets/replaced-builds.ts'
import { DATASETS_JOB } from '../datasets/run-datasets.ts'
import { FEATURES_JOB } from '../datasets/run-features.ts'
import { INDEX_PRICES_JOB } from '../index-prices/run-index-prices.ts'
import { LAKE_EXPIRY_JOB } from '../lake/expire.ts'
import { LAKE_JOB } from '../lake/run-lake.ts'
import { RETENTION_JOB } from '../retention/run-retention.ts'
import { VALIDATION_JOB } from '../validation/run-validation.ts'
import { STALE_DAYS_JOB } from './day-tasks.ts'

/**
 * Every night at 00:10 UTC, the jobs of the day before run one after another. `fill`: runs missed
 * in the last week are made up for. `max`: attempts, with e^n seconds in between, over an hour in
 * total.
 */
const CRONTAB = [
  `10 0 * * * ${FEATURES_JOB} ?id=nightly_features&fill=7d&max=9&queue=features`,
  `10 0 * * * ${DATASETS_JOB} ?id=nightly_datasets&fill=7d&max=9&queue=features`,
]
/** After the archive, in the same queue, so that it sees the newest versions. */
const STALE_DAYS_CRONTAB = `10 * * * * ${STALE_DAYS_JOB} ?id=stale_days&max=1&queue=archive`
/** Files that could not be deleted are tried again an hour later. */
const SWEEP_CRONTAB = `20 * * * * ${SWEEP_JOB} ?id=replaced_builds&max=1&queue=archive`
/** Past prices cannot be requested, so missed runs are not made up for. */
const INDEX_CRONTAB = `* * * * * ${INDEX_PRICES_JOB} ?id=index_prices&max=1&queue=index_prices`
/** Checks only current data, so missed runs are not made up for. */
const VALIDATION_CRONTAB = `*/5 * * * * ${VALIDATION_JOB} ?id=validation&max=1&queue=validation`
/** Every five minutes, starting at this minute of the hour. */
const everyFive = (first: number): string =>
  Array.from({ length: 12 }, (_, i) => first + 5 * i).join(',')
/** Each run finds the hours that are due. */
const ARCHIVE_CRONTAB = `${everyFive(3)} * * * * ${ARCHIVE_JOB} ?id=archive&max=3&queue=archive&jobKey=archive`
/**
 * After the archive, in the same queue. Partitions that had to stay are tried five minutes later.
 */
const RETENTION_CRONTAB = `${everyFive(4)} * * * * ${RETENTION_JOB} ?id=retention&max=1&queue=archive&jobKey=retention`

/** After the archive, in the same queue: new hours and days become snapshots of the lake. */
const LAKE_CRONTAB = [
  `${everyFive(0)} * * * * ${LAKE_JOB} ?id=lake&max=1&queue=archive&jobKey=lake`,
  `40 2 * * * ${LAKE_EXPIRY_JOB} ?id=lake_expiry&max=3&queue=archive&jobKey=lake_expiry`,
]

/**
 * After the archive, so that the lake has as much as possible: a full backup at night, when the day
 * before is archived, and the state every hour. A missed one is not made up for.
 */
const BACKUP_CRONTAB = [
  `7 1 * * * ${BACKUP_JOB} ?id=nightly_backup&max=5&queue=archive&jobKey=backup {"kind":"full"}`,
  `7 ${hoursBut(1)} * * * ${BACKUP_JOB} ?id=hourly_backup&max=2&queue=archive&jobKey=backup {"kind":"state"}`,
]

function hoursBut(hour: number): string {
  return Array.from({ length: 24 }, (_, i) => i)
    .filter((i) => i !== hour)
    .join(',')
}

/** Lines that graphile-worker reads. */
export function crontabOf({
  polls_index_prices,
  backs_up,
}: {
  readonly polls_index_prices: boolean
  readonly backs_up: boolean
}): string {
  return [
    ...CRONTAB,
    STALE_DAYS_CRONTAB,
    SWEEP_CRONTAB,
    ARCHIVE_CRONTAB,
    RETENTION_CRONTAB,
    ...LAKE_CRONTAB,
    VALIDATION_CRONTAB,
    ...(backs_up ? BACKUP_CRONTAB : []),
    ...(polls_index_prices ? [INDEX_CRONTAB] : []),
  ].join('\n')
}

/** The job of each of these lines. */
export function scheduledJobs(options: Parameters<typeof crontabOf>[0]): readonly string[] {
  const jobs = crontabOf(options)
    .split('\n')
    .map((line) => line.split(' ')[5]!)
  return [...new Set(jobs)]
}

export interface DueJob {
  readonly job: string
  /** As graphile_worker._private_known_crontabs names it. */
  readonly crontab_id: string
  /** Milliseconds since 1970. */
  readonly next_ms: number
}

const MINUTE_MS = 60_000
const LOOK_MINUTES = 2 * 24 * 60

/** Each line's next time after `now_ms`. */
export function nextRuns(now_ms: number): readonly DueJob[] {
  return crontabOf({ polls_index_prices: true, backs_up: true })
    .split('\n')
    .map((line) => {
      const [minutes, hours, , , , job] = line.split(' ')
      const crontab_id = /[?&]id=(\w+)/.exec(line)?.[1]
      if (job === undefined || crontab_id === undefined)
        throw new Error(`No line of a crontab: ${line}`)
      return { job, crontab_id, next_ms: nextTime(minutes!, hours!, now_ms) }
    })
}

function nextTime(minutes: string, hours: string, now_ms: number): number {
  const first_ms = (Math.floor(now_ms / MINUTE_MS) + 1) * MINUTE_MS
  for (let i = 0; i < LOOK_MINUTES; i++) {
    const at = new Date(first_ms + i * MINUTE_MS)
    if (isIn(minutes, at.getUTCMinutes()) && isIn(hours, at.getUTCHours())) return at.getTime()
  }
  throw new Error(`Never: ${minutes} ${hours}`)
}

function isIn(field: string, value: number): boolean {
  if (field === '*') return true
  const step = /^\*\/(\d+)$/.exec(field)?.[1]
  if (step !== undefined) return value % Number(step) === 0
  return field.split(',').map(Number).includes(value)
}
