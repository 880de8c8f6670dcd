/**
 * What the metrics of jobs say about Postgres and the object store. While one of them cannot be
 * reached, its facts are undefined, and so are its metrics.
 */
import type { Latest } from '#core/dataset.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { latestKey } from '#core/object-keys.ts'
import { dayRange, fromMillis, HOUR_US, micros, parseDay, SECOND_US } from '#core/time.ts'
import { selectDueHours } from '../archive/due-hours.ts'
import { FEATURE_DAY_SETS, MARKET_DAY_SETS } from '../datasets/daily-sets.ts'
import { selectPartitions } from '../retention/partitions.ts'
import { planRetention, type RetentionPlan } from '../retention/retention-plan.ts'
import type { RetentionSettings } from '../retention/settings.ts'
import { ROLLUPS } from '../rollups/rollup.ts'

export interface DatabaseFacts {
  readonly database_bytes: number
  /** By job: when its last run that was done ended [s since 1970]. */
  readonly last_success: Readonly<Record<string, number>>
  /** By job: windows of the last day whose newest run failed. */
  readonly failing: Readonly<Record<string, number>>
  readonly queue: Readonly<Record<QueueState, number>>
  /** By rollup: newest source row minus what is rolled up [s]. */
  readonly rollup_lag_s: Readonly<Record<string, number>>
  readonly archive: { readonly due_count: number; readonly lag_s: number }
  readonly retention: RetentionPlan
}

/** `dead`: no attempts are left. `waiting`: for its time, or for another job of its queue. */
export type QueueState = 'running' | 'waiting' | 'due' | 'dead'

export interface PublishedDay {
  readonly dataset: string
  /** Start and end of the day [s since 1970]. */
  readonly from_s: number
  readonly to_s: number
  readonly complete: boolean
}

export interface StoreFacts {
  /** Of each dataset that is published: its newest complete day, or else its newest. */
  readonly newest: readonly PublishedDay[]
}

interface Options {
  readonly retention: RetentionSettings
  /** Jobs whose last success is looked up. */
  readonly jobs: readonly string[]
  readonly now_ms: number
}

export async function readDatabase(pool: Pool, options: Options): Promise<DatabaseFacts> {
  const { retention, jobs, now_ms } = options
  const now = fromMillis(now_ms)
  const { rows } = await pool.query<BasicRow>(BASICS, [jobs])
  const [basics] = rows
  const rollups = await pool.query<{ rollup: string; lag_s: number }>(ROLLUP_LAGS, [
    ROLLUPS.map(({ name }) => name),
    ROLLUPS.map(({ sources }) => sources[0]),
  ])
  const plan = planRetention(await selectPartitions(pool), retention, now)
  const due = await selectDueHours(pool, micros(now - retention.settle_us))
  const [oldest] = due
  const since = oldest === undefined ? now : oldest.hour + HOUR_US + retention.settle_us
  return {
    database_bytes: basics!.database_bytes,
    last_success: basics!.last_success,
    failing: basics!.failing,
    queue: await readQueue(pool),
    rollup_lag_s: Object.fromEntries(rollups.rows.map(({ rollup, lag_s }) => [rollup, lag_s])),
    archive: { due_count: due.length, lag_s: (now - since) / SECOND_US },
    retention: plan,
  }
}

interface BasicRow {
  readonly database_bytes: number
  readonly last_success: Readonly<Record<string, number>>
  readonly failing: Readonly<Record<string, number>>
}

const BASICS = `
select pg_database_size(current_database())::float8 as database_bytes,
  (select coalesce(jsonb_object_agg(job, ended), '{}') from (
     select job, (
       select extract(epoch from max(finished_at))::float8 from marketdata.job_runs r
       where r.job = j.job and r.status = 'done'
     ) as ended
     from unnest($1::text[]) as j (job)
   ) known where ended is not null) as last_success,
  (select coalesce(jsonb_object_agg(job, window_count), '{}') from (
     select job, count(*) filter (where status = 'failed') as window_count from (
       select distinct on (job, job_window) job, status from marketdata.job_runs
       where started_at > now() - interval '1 day' and status <> 'running'
       order by job, job_window, started_at desc, id desc
     ) newest group by job
   ) failed) as failing`

/**
 * The newest row of the source by the offsets of its streams: while a market is silent, nothing is
 * behind. Nothing is behind before the recording began, though a first refresh starts at its hour.
 */
const ROLLUP_LAGS = `
select w.rollup,
  greatest(0, extract(epoch from o.newest - greatest(w.watermark, o.oldest)))::float8 as lag_s
from unnest($1::text[], $2::text[]) as r (rollup, source)
join marketdata.rollup_watermarks w on w.rollup = r.rollup
cross join lateral (
  select max(ts_exchange) as newest, min(coalesce(began_ts, ts_exchange)) as oldest
  from marketdata.stream_offsets where channel = r.source
) o
where o.newest is not null`

async function readQueue(pool: Pool): Promise<DatabaseFacts['queue']> {
  const { rows } = await pool.query<{ state: QueueState; job_count: number }>(
    `select case when locked_at is not null then 'running'
         when attempts >= max_attempts then 'dead'
         when run_at > now() then 'waiting' else 'due' end as state,
       count(*)::int as job_count
     from graphile_worker.jobs group by 1`,
  )
  const counts: Record<QueueState, number> = { running: 0, waiting: 0, due: 0, dead: 0 }
  for (const { state, job_count } of rows) counts[state] = job_count
  return counts
}

export async function readStore(store: ObjectStore): Promise<StoreFacts> {
  const sets = [...FEATURE_DAY_SETS, ...MARKET_DAY_SETS]
  const newest = await Promise.all(
    sets.map(async ({ dataset }): Promise<readonly PublishedDay[]> => {
      const bytes = await store.get(latestKey(dataset))
      if (bytes === undefined) return []
      const { date, complete } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Latest
      const day = parseDay(date)
      if (day === undefined) return []
      const { from, to } = dayRange(day)
      return [{ dataset, complete, from_s: from / SECOND_US, to_s: to / SECOND_US }]
    }),
  )
  return { newest: newest.flat() }
}
