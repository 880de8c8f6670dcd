/**
 * Published days that are not what they would be if they were built now: an hour of theirs got a
 * new archive version, the gap ledger says something else of them, the archive holds rows that came
 * after the build, the day before left another fit, or a run died between two datasets. Told from
 * what manifests and the archive say, so nothing is missed, whoever was off in between.
 */
import { createHash } from 'node:crypto'
import type { Manifest, SymbolCoverage } from '#core/dataset.ts'
import { FEATURE_SETS } from '#core/features.ts'
import { FIT_VERSION } from '#core/features/fitted.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { featureFitKey, manifestKey } from '#core/object-keys.ts'
import { addDays, DAY_US, dayRange, fromMillis, micros, toIso, type Day } from '#core/time.ts'
import { CANDLES } from '../candles/columns.ts'
import { FEATURE_CHANNELS } from '../day/events.ts'
import { digestLedger, selectLedger, type DayLedger } from '../day/ledger.ts'
import { QUOTES_SET, TRADES_SET } from './build/raw-sets.ts'
import { DATASETS_JOB } from './run-datasets.ts'
import { FEATURES_JOB } from './run-features.ts'

export interface StaleDay {
  readonly job: typeof FEATURES_JOB | typeof DATASETS_JOB
  readonly date: Day
  /** For people. */
  readonly why: string
}

/** A day whose hours were last archived longer ago was looked at since, every hour. */
const LOOK_BACK_US = 8 * DAY_US

type SetName = { readonly dataset: string; readonly schema_version: number }

/** What a job publishes for every day, in its order. */
const SETS: Readonly<Record<StaleDay['job'], readonly SetName[]>> = {
  [FEATURES_JOB]: [FEATURE_SETS.features_1s, FEATURE_SETS.labels_1s],
  [DATASETS_JOB]: [CANDLES, TRADES_SET, QUOTES_SET],
}

/** `now_ms` is milliseconds since 1970. In the order of days, features first. */
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
    // Today is built again and again in any case.
    [since, FEATURE_CHANNELS, toIso(micros(fromMillis(now_ms) - DAY_US))],
  )
  const touched = rows.map(({ date }) => date)
  // What a day leaves for the next may have changed with it.
  const dates = [...new Set([...touched, ...touched.map((date) => addDays(date, 1))])].toSorted()
  const stale: StaleDay[] = []
  for (const date of dates) {
    const hours = await selectHours(pool, date)
    const ledger = await selectLedger(pool, date)
    const fit_sha256 = await fitBefore(store, date)
    for (const job of [FEATURES_JOB, DATASETS_JOB] as const) {
      const why = await reasonOf(pool, store, { job, date, hours, ledger, fit_sha256 })
      if (why !== undefined) stale.push({ job, date, why })
    }
  }
  return stale
}

interface DayState {
  readonly job: StaleDay['job']
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
  // A day that was never published is the nightly run's, or nobody's.
  if (manifests.length === 0) return undefined
  const missing_count = SETS[job].length - manifests.length
  if (missing_count > 0) return `${missing_count} of its datasets are not published`
  for (const { dataset, inputs, coverage } of manifests) {
    const known = new Map(inputs?.revised_hours.map((hour) => [keyOf(hour), hour.version]))
    const newer = hours.find((hour) => hour.version > 1 && known.get(keyOf(hour)) !== hour.version)
    if (newer !== undefined) return `${keyOf(newer)} got version ${newer.version} since`
    if (job === FEATURES_JOB && (inputs?.fit?.sha256 ?? null) !== fit_sha256) {
      return 'the day before left another fit since'
    }
    if (inputs?.ledger_sha256 !== digestLedger(ledger, coverage)) {
      return 'the ledger of gaps says something else since'
    }
    const late_count = countLate(hours, coverage)
    if (late_count > 0 && (await isArchivedSince(pool, job, date))) {
      return `the archive holds ${late_count} rows that ${dataset} was made without`
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
 * Quotes and trades that came between the build and the hour's first archive, which has no newer
 * version to tell of them. Hours that are not archived yet only make the sum smaller.
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

/** A run that began after the archive's newest file of the day has read all there is. */
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

async function fitBefore(store: ObjectStore, date: Day): Promise<string | null> {
  const bytes = await store.get(featureFitKey(FIT_VERSION, addDays(date, -1)))
  return bytes === undefined ? null : createHash('sha256').update(bytes).digest('hex')
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
