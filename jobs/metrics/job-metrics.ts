/**
 * Metrics of the jobs daemon: its runs, its queue, and what jobs are to keep in bounds: archive,
 * retention, rollups, datasets, and the size of Postgres.
 */
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { createMetrics, type Metrics, one, type Readings } from '#core/node/metrics.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { withDeadline } from '#core/waiting.ts'
import type { PlannedPartition } from '../retention/retention-plan.ts'
import type { RetentionSettings } from '../retention/settings.ts'
import { onRunEnd } from '../runs/run-events.ts'
import {
  type DatabaseFacts,
  type PublishedDay,
  readDatabase,
  readStore,
  type StoreFacts,
} from './facts.ts'

export interface JobMetricsOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly retention: RetentionSettings
  /** Names of the jobs whose last success is reported. */
  readonly jobs: readonly string[]
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
}

/** From a poll of prices to the features of a day. */
const DURATION_BUCKETS_S = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200]
/** Readings take at most this share of the time, and are at least this old before the next. */
const REST_PER_WORK = 50
const KEPT_MS = 10_000
/** Prometheus gives up after 10 s. */
const LIMIT_MS = 4_000

export function createJobMetrics(
  options: JobMetricsOptions,
): Pick<Metrics, 'content_type' | 'text'> {
  const { pool, store, retention, jobs, log, now } = options
  const metrics = createMetrics('jobs')
  const database = createReader('Postgres', log, () =>
    readDatabase(pool, { retention, jobs, now_ms: now() }),
  )
  const objects = createReader('the object store', log, () => readStore(store))
  addRuns(metrics)
  addQueue(metrics, database.facts)
  addDatabase(metrics, database.facts)
  addDatasets(metrics, objects.facts, now)
  metrics.gauge({ name: 'jobs_database_up', help: '1 if Postgres answered.' }, () =>
    one(database.facts() === undefined ? 0 : 1),
  )
  metrics.gauge({ name: 'jobs_object_store_up', help: '1 if the object store answered.' }, () =>
    one(objects.facts() === undefined ? 0 : 1),
  )
  return {
    content_type: metrics.content_type,
    async text() {
      await Promise.all([database.read(), objects.read()])
      return metrics.text()
    },
  }
}

function addRuns(metrics: Metrics): void {
  // Prometheus itself gives every metric a label `job`.
  const labels = ['job_name']
  const countRun = metrics.count({
    name: 'jobs_runs_total',
    help: 'Runs that ended, by their status: done or failed.',
    labels: ['job_name', 'status'],
  })
  const observe = metrics.histogram(
    { name: 'jobs_run_duration_seconds', help: 'How long runs took.', labels },
    DURATION_BUCKETS_S,
  )
  const countRows = metrics.count({
    name: 'jobs_rows_written_total',
    help: 'Rows that runs wrote.',
    labels,
  })
  const countBytes = metrics.count({
    name: 'jobs_published_bytes_total',
    help: 'Bytes that runs wrote to the object store.',
    labels,
  })
  onRunEnd(({ job, status, elapsed_s, row_count, byte_count }) => {
    const of_job = { job_name: job }
    countRun({ ...of_job, status })
    observe(elapsed_s, of_job)
    countRows(of_job, row_count)
    countBytes(of_job, byte_count)
  })
}

type Facts<T> = () => T | undefined

function addQueue({ gauge }: Metrics, facts: Facts<DatabaseFacts>): void {
  const by =
    (label: string, pick: (known: DatabaseFacts) => Readonly<Record<string, number>>) =>
    (): Readings =>
      Object.entries(readings(facts(), pick)).map(([key, value]) => [{ [label]: key }, value])
  gauge(
    {
      name: 'jobs_last_success_timestamp_seconds',
      help: 'When the last run that was done ended, since 1970.',
      labels: ['job_name'],
    },
    by('job_name', ({ last_success }) => last_success),
  )
  gauge(
    {
      name: 'jobs_failing_windows',
      help: 'Windows (days, hours) whose newest run of the last 24 hours failed.',
      labels: ['job_name'],
    },
    by('job_name', ({ failing }) => failing),
  )
  gauge(
    {
      name: 'jobs_queue_jobs',
      help: 'Jobs in the queue: running, due, waiting for their time, dead (no attempt is left).',
      labels: ['state'],
    },
    by('state', ({ queue }) => queue),
  )
  gauge(
    {
      name: 'jobs_rollup_lag_seconds',
      help: 'Newest recorded event minus the time up to which it is rolled up.',
      labels: ['rollup'],
    },
    by('rollup', ({ rollup_lag_s }) => rollup_lag_s),
  )
}

function addDatabase({ gauge }: Metrics, facts: Facts<DatabaseFacts>): void {
  const single = (pick: (known: DatabaseFacts) => number) => (): Readings => {
    const known = facts()
    return known === undefined ? [] : one(pick(known))
  }
  gauge(
    { name: 'jobs_archive_due', help: 'Hours of tables that are due and not archived.' },
    single(({ archive }) => archive.due_count),
  )
  gauge(
    { name: 'jobs_archive_lag_seconds', help: 'How long the oldest of them has been due.' },
    single(({ archive }) => archive.lag_s),
  )
  gauge(
    { name: 'jobs_database_bytes', help: 'Size of the database.' },
    single(({ database_bytes }) => database_bytes),
  )
  gauge(
    { name: 'jobs_hourly_partitions_bytes', help: 'Size of all hourly partitions.' },
    single(({ retention }) => retention.used_bytes),
  )
  gauge(
    {
      name: 'jobs_hourly_partitions_budget_bytes',
      help: 'RAW_DISK_BUDGET_GB: what they may take; 0: no limit.',
    },
    single(({ retention }) => retention.budget_bytes),
  )
  const partitions = (sum: (group: readonly PlannedPartition[]) => number) => (): Readings => {
    const groups = Map.groupBy(
      facts()?.retention.partitions ?? [],
      ({ fate }) => `${fate.kind} ${fate.reason}`,
    )
    return [...groups.values()].map((group) => [{ ...group[0]!.fate }, sum(group)])
  }
  const labels = ['kind', 'reason']
  gauge(
    {
      name: 'jobs_retention_partitions',
      help: 'Partitions that retention would drop or keep now, and why.',
      labels,
    },
    partitions((group) => group.length),
  )
  gauge(
    { name: 'jobs_retention_partition_bytes', help: 'Size of these partitions.', labels },
    partitions((group) => group.reduce((bytes, { state }) => bytes + state.byte_count, 0)),
  )
}

function addDatasets({ gauge }: Metrics, facts: Facts<StoreFacts>, now: () => number): void {
  const by = (pick: (day: PublishedDay) => number | undefined) => (): Readings =>
    (facts()?.newest ?? []).flatMap((day) => {
      const value = pick(day)
      return value === undefined ? [] : [[{ dataset: day.dataset }, value] as const]
    })
  const labels = ['dataset']
  gauge(
    {
      name: 'jobs_dataset_newest_day_timestamp_seconds',
      help: 'Start of the newest published day of a dataset, since 1970.',
      labels,
    },
    by(({ from_s }) => from_s),
  )
  gauge(
    {
      name: 'jobs_dataset_age_seconds',
      help: 'Time since the end of the newest complete day of a dataset.',
      labels,
    },
    by(({ complete, to_s }) => (complete ? now() / 1_000 - to_s : undefined)),
  )
}

function readings<T>(
  known: T | undefined,
  pick: (known: T) => Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return known === undefined ? {} : pick(known)
}

interface Reader<T> {
  /** Undefined while the last reading failed or took too long. */
  facts(): T | undefined
  /** Never rejects. */
  read(): Promise<void>
}

function createReader<T>(what: string, log: Logger, read: () => Promise<T>): Reader<T> {
  let facts: T | undefined
  let reading: Promise<void> | undefined
  let next_ms = Number.NEGATIVE_INFINITY
  const attempt = async (): Promise<void> => {
    const began_ms = performance.now()
    try {
      const late = (): Error => new Error(`It did not answer in ${LIMIT_MS} ms.`)
      facts = await withDeadline(read(), LIMIT_MS, late)
      const took_ms = performance.now() - began_ms
      next_ms = began_ms + Math.max(KEPT_MS, took_ms * REST_PER_WORK)
    } catch (error) {
      if (facts !== undefined) {
        const found = { code: 'metrics_incomplete', error: describeError(error) }
        log.warn(found, `Metrics are incomplete: ${what} cannot be read.`)
      }
      facts = undefined
      next_ms = began_ms
    }
  }
  return {
    facts: () => facts,
    read() {
      if (performance.now() >= next_ms) {
        reading ??= attempt().finally(() => (reading = undefined))
      }
      return reading ?? Promise.resolve()
    },
  }
}
