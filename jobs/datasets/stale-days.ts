/**
 * Finds published days that a build today would change: an hour has a new archive version, the gap
 * ledger has changed, the archive holds rows that arrived after the build, the day before has a new
 * fit, or a run died between two datasets. Days of imported facts are built from here for the first
 * time too. The answer comes only from manifests and the database, so nothing is missed while a
 * program is down.
 */
import { createHash } from 'node:crypto'
import type { Manifest, SymbolCoverage } from '#core/dataset.ts'
import { FIT_VERSION } from '#core/features/fitted.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { featureFitKey, manifestKey } from '#core/object-keys.ts'
import { addDays, DAY_US, dayRange, fromMillis, micros, toIso, type Day } from '#core/time.ts'
import { BARS } from '../bars/columns.ts'
import { BAR_FIT } from '../bars/fit.ts'
import { FEATURE_CHANNELS } from '../day/events.ts'
import { digestLedger, selectLedger, type DayLedger } from '../day/ledger.ts'
import { selectDueFactDays } from '../facts/fact-days.ts'
import { FEATURE_DAY_SETS, MARKET_DAY_SETS, type SetName } from './daily-sets.ts'
import { DATASETS_JOB } from './run-datasets.ts'
import { FACTS_JOB } from './run-facts.ts'
import { FEATURES_JOB } from './run-features.ts'

type RecordedJob = typeof FEATURES_JOB | typeof DATASETS_JOB

export interface StaleDay {
  readonly job: RecordedJob | typeof FACTS_JOB
  readonly date: Day
  /** Reason, as text for people. */
  readonly why: string
}

/** Earlier hourly runs have already checked days whose last archiving is longer ago. */
const LOOK_BACK_US = 8 * DAY_US

/** The datasets that each job publishes for a day, in order. */
const SETS: Readonly<Record<RecordedJob, readonly SetName[]>> = {
  [FEATURES_JOB]: FEATURE_DAY_SETS,
  [DATASETS_JOB]: MARKET_DAY_SETS,
}

/** `now_ms` is milliseconds since 1970. Ordered by day, features first; days of facts come last. */
export async function selectStaleDays(
  pool: Pool,
  store: ObjectStore,
  now_ms: number,
): Promise<readonly StaleDay[]> {
  const since = toIso(micros(fromMillis(now_ms) - LOOK_BACK_US))
  const { rows } = await pool.query<{ date: Day }>(
    `select distinct to_char(hour at time zone 'UTC', 'YYYY-MM-DD') as date
     from marketdata.archive where archived_at >= $1 and table_name = any($2)
     union
     select to_char(day at time zone 'UTC', 'YYYY-MM-DD')
     from marketdata.gap_ledger, lateral generate_series(
       date_bin('1 day', from_ts, 'epoch'), least(to_ts, $3::timestamptz), interval '1 day') as day
     where channel = any($2) and (detected_at >= $1 or repaired_at >= $1 or to_ts is null)`,
    // The current day is rebuilt all the time anyway.
    [since, FEATURE_CHANNELS, toIso(micros(fromMillis(now_ms) - DAY_US))],
  )
  const touched = rows.map(({ date }) => date)
  // A changed day may leave another fit for the next day.
  const dates = [...new Set([...touched, ...touched.map((date) => addDays(date, 1))])].toSorted()
  const stale: StaleDay[] = []
  for (const date of dates) {
    const hours = await selectHours(pool, date)
    const ledger = await selectLedger(pool, date)
    for (const job of [FEATURES_JOB, DATASETS_JOB] as const) {
      const fit_sha256 = await fitBefore(store, job, date)
      const why = await reasonOf(pool, store, { job, date, hours, ledger, fit_sha256 })
      if (why !== undefined) stale.push({ job, date, why })
    }
  }
  for (const { date, tables } of await selectDueFactDays(pool)) {
    stale.push({ job: FACTS_JOB, date, why: `imports changed ${tables.join(', ')}` })
  }
  return stale
}

interface DayState {
  readonly job: RecordedJob
  readonly date: Day
  readonly hours: readonly NewestHour[]
  readonly ledger: DayLedger
  readonly fit_sha256: string | null
}

async function reasonOf(
  pool: Pool,
  store: ObjectStore,
  { job, date, hours, ledger, fit_sha256 }: DayState,
): Promise<string | undefined> {
  const manifests: Manifest[] = []
  for (const { dataset, schema_version } of SETS[job]) {
    const bytes = await store.get(manifestKey(dataset, schema_version, date))
    if (bytes !== undefined) manifests.push(JSON.parse(Buffer.from(bytes).toString('utf8')))
  }
  // The nightly run publishes days for the first time; this job does not.
  if (manifests.length === 0) return undefined
  const missing_count = SETS[job].length - manifests.length
  if (missing_count > 0) return `${missing_count} of its datasets are not published`
  for (const { dataset, inputs, coverage } of manifests) {
    const known = new Map(inputs?.revised_hours.map((hour) => [keyOf(hour), hour.version]))
    const newer = hours.find((hour) => hour.version > 1 && known.get(keyOf(hour)) !== hour.version)
    if (newer !== undefined) return `${keyOf(newer)} now has version ${newer.version}`
    const is_fitted = job === FEATURES_JOB || dataset === BARS.dataset
    if (is_fitted && (inputs?.fit?.sha256 ?? null) !== fit_sha256) {
      return 'the fit of the day before has changed since the build'
    }
    if (inputs?.ledger_sha256 !== digestLedger(ledger, coverage)) {
      return 'the gap ledger has changed since the build'
    }
    const late_count = countLate(hours, coverage)
    if (late_count > 0 && (await isArchivedSince(pool, job, date))) {
      return `the archive holds ${late_count} rows that arrived after the build of ${dataset}`
    }
  }
  return undefined
}

interface NewestHour {
  readonly exchange: string
  readonly table_name: string
  readonly hour: string
  readonly version: number
  readonly row_count: number
}

function keyOf(hour: Pick<NewestHour, 'exchange' | 'table_name' | 'hour'>): string {
  return `${hour.exchange} ${hour.table_name} ${hour.hour}`
}

/** The newest version of every archived hour of the day. */
async function selectHours(pool: Pool, date: Day): Promise<readonly NewestHour[]> {
  const { from, to } = dayRange(date)
  const { rows } = await pool.query<NewestHour>(
    `select distinct on (exchange, table_name, a.hour) exchange, table_name,
       to_char(a.hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as hour,
       version, row_count::float8 as row_count
     from marketdata.archive a
     where a.hour >= $1 and a.hour < $2 and table_name = any($3)
     order by exchange, table_name, a.hour, version desc`,
    [toIso(from), toIso(to), FEATURE_CHANNELS],
  )
  return rows
}

/**
 * Counts quotes and trades that arrived after the build but before the hour was first archived, so
 * that no second version shows them. An hour that is not archived yet only lowers the sum.
 */
function countLate(hours: readonly NewestHour[], coverage: readonly SymbolCoverage[]): number {
  const exchanges = new Set(hours.map(({ exchange }) => exchange))
  let late_count = 0
  for (const exchange of exchanges) {
    const built = coverage.filter((symbol) => symbol.exchange === exchange)
    for (const [table_name, count] of [
      ['book_ticker', sumOf(built.map(({ quote_count }) => quote_count))],
      ['trades', sumOf(built.map(({ trade_count }) => trade_count))],
    ] as const) {
      const of_table = hours.filter(
        (hour) => hour.exchange === exchange && hour.table_name === table_name,
      )
      const archived_count = sumOf(of_table.map(({ row_count }) => row_count))
      late_count += Math.max(0, archived_count - count)
    }
  }
  return late_count
}

/** Whether a run began after the day was last archived. Such a run has read every row. */
async function isArchivedSince(pool: Pool, job: string, date: Day): Promise<boolean> {
  const { from, to } = dayRange(date)
  const { rows } = await pool.query<{ is_since: boolean }>(
    `select (select max(archived_at) from marketdata.archive where hour >= $3 and hour < $4)
       >= coalesce((select max(started_at) from marketdata.job_runs
                    where job = $1 and job_window = $2 and status = 'done'), '-infinity') as is_since`,
    [job, date, toIso(from), toIso(to)],
  )
  return rows[0]!.is_since
}

async function fitBefore(store: ObjectStore, job: RecordedJob, date: Day): Promise<string | null> {
  const before = addDays(date, -1)
  const bytes = await store.get(
    job === FEATURES_JOB ? featureFitKey(FIT_VERSION, before) : BAR_FIT.keyOf(before),
  )
  return bytes === undefined ? null : createHash('sha256').update(bytes).digest('hex')
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
