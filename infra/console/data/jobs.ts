/** Runs of jobs, the queue, and the time of each job's next run. */
import { createHash } from 'node:crypto'
import type { Caller } from '#core/node/door/guard.ts'
import type { Pool } from '#core/node/pool.ts'
import { OperatorError } from '#core/errors.ts'
import { Problem } from '#core/problem.ts'
import type { Day } from '#core/time.ts'
import { nextRuns } from '../../../jobs/schedule/crontab.ts'
import type { JobsView, QueuedJob, RunDetail, RunView, ScheduledJob } from '../wire.ts'
import { select } from './read.ts'

const RUNS_MAX = 200
const LINES_MAX = 500

interface Described {
  readonly what: string
  readonly queue: string | null
  readonly needs_date: boolean
}

/** Queues as in jobs/schedule/crontab.ts: jobs that write the same data run one at a time. */
const RUNNABLE: Readonly<Record<string, Described>> = {
  features: { what: 'features and labels of a day', queue: 'features', needs_date: true },
  datasets: {
    what: 'candles, clusters, trades, quotes, bars, labels and signals of a day',
    queue: 'features',
    needs_date: true,
  },
  archive: {
    what: 'writes finished hours to the object store',
    queue: 'archive',
    needs_date: false,
  },
  retention: { what: 'drops archived hours from Postgres', queue: 'archive', needs_date: false },
  stale_days: { what: 'finds days to build again', queue: 'archive', needs_date: false },
  replaced_builds: {
    what: 'deletes replaced files of datasets',
    queue: 'archive',
    needs_date: false,
  },
  validation: { what: 'checks the newest data', queue: 'validation', needs_date: false },
}
const OTHERS: Readonly<Record<string, string>> = {
  index_prices: 'asks for index prices',
  rollups: 'brings the one-second rollups up to now',
  orderbook_topn: 'writes the best levels of each book',
  signals: 'finds signals in the newest bars and books',
}
/** Jobs that the daemon repeats every few seconds. */
const LOOPS = ['rollups', 'orderbook_topn', 'signals'] as const

const RUN_COLUMNS = `id::text as id, job, job_window, status, attempt, started_at,
  extract(epoch from coalesce(finished_at, now()) - started_at)::float8 as elapsed_s,
  row_count::float8 as row_count, byte_count::float8 as byte_count, error`

/** `job`: only runs of this job. */
export async function readJobs(
  pool: Pool,
  job: string | undefined,
  now_ms: number,
): Promise<JobsView> {
  const runs = await select<RunView>(
    pool,
    `select ${RUN_COLUMNS} from marketdata.job_runs
     where $1::text is null or job = $1
     order by started_at desc, id desc limit ${RUNS_MAX}`,
    [job ?? null],
  )
  const { known, queued } = await readQueue(pool)
  const due = nextRuns(now_ms).filter(({ crontab_id }) => known.has(crontab_id))
  const jobs = Object.entries(RUNNABLE).map(([name, { what, needs_date }]): ScheduledJob => ({
    job: name,
    what,
    next_at: isoOf(due.find((one) => one.job === name)?.next_ms),
    is_runnable: true,
    needs_date,
  }))
  const others = [...due.map((one) => one.job).filter((name) => name in OTHERS), ...LOOPS].map(
    (name): ScheduledJob => ({
      job: name,
      what: OTHERS[name]!,
      next_at: isoOf(due.find((one) => one.job === name)?.next_ms),
      is_runnable: false,
      needs_date: false,
    }),
  )
  return { jobs: [...jobs, ...others], runs, queued }
}

/** The first jobs daemon creates the queue's tables. */
async function readQueue(
  pool: Pool,
): Promise<{ readonly known: ReadonlySet<string>; readonly queued: readonly QueuedJob[] }> {
  const [there] = await select<{ is_there: boolean }>(
    pool,
    "select to_regclass('graphile_worker._private_known_crontabs') is not null as is_there",
  )
  if (there?.is_there !== true) return { known: new Set(), queued: [] }
  const crontabs = await select<{ identifier: string }>(
    pool,
    'select identifier from graphile_worker._private_known_crontabs',
  )
  const queued = await select<QueuedJob>(
    pool,
    `select task_identifier as job, run_at, attempts, last_error from graphile_worker.jobs
     where locked_at is null and attempts < max_attempts order by run_at limit 50`,
  )
  return { known: new Set(crontabs.map(({ identifier }) => identifier)), queued }
}

export async function readRun(pool: Pool, id: string): Promise<RunDetail | undefined> {
  const [run] = await select<RunDetail>(
    pool,
    `select ${RUN_COLUMNS}, coalesce((
       select jsonb_agg(line order by place)
       from jsonb_array_elements(log_lines) with ordinality as lines (line, place)
       where place > jsonb_array_length(log_lines) - ${LINES_MAX}), '[]') as lines
     from marketdata.job_runs where id = $1::bigint`,
    [id],
  )
  return run
}

/** Current runs, and failures of the last day that no later run has made good. */
export async function readNewestRuns(
  pool: Pool,
): Promise<{ readonly running: readonly RunView[]; readonly failed: readonly RunView[] }> {
  const runs = await select<RunView>(
    pool,
    `select ${RUN_COLUMNS} from (
       select distinct on (job, job_window) * from marketdata.job_runs
       where started_at > now() - interval '1 day'
       order by job, job_window, started_at desc, id desc
     ) newest
     where status <> 'done' order by started_at desc limit 50`,
  )
  return {
    running: runs.filter(({ status }) => status === 'running'),
    failed: runs.filter(({ status }) => status === 'failed'),
  }
}

/**
 * Puts a job into the queue of the daemon, together with a line of the audit log. Returns its
 * number in the queue; for a retry with the same `idempotency_key`, that of the first request.
 */
export async function enqueueJob(
  pool: Pool,
  { name, origin }: Caller,
  job: string,
  date: Day | undefined,
  idempotency_key: string,
): Promise<string> {
  const described = Object.hasOwn(RUNNABLE, job) ? RUNNABLE[job] : undefined
  if (described === undefined) {
    throw new OperatorError('job_not_runnable', `Job ${job} cannot be started from here.`, {
      hint: `Those that can: ${Object.keys(RUNNABLE).join(', ')}.`,
    })
  }
  if (described.needs_date !== (date !== undefined)) {
    const what = described.needs_date ? 'needs a date' : 'takes no date'
    throw new OperatorError('bad_job_date', `Job ${job} ${what}.`)
  }
  const [there] = await select<{ is_there: boolean }>(
    pool,
    "select to_regnamespace('graphile_worker') is not null as is_there",
  )
  if (there?.is_there !== true) {
    throw new OperatorError('no_queue', 'There is no queue yet: no jobs daemon has run here.', {
      hint: 'Start jobs/main.ts.',
    })
  }
  const payload = date === undefined ? {} : { date }
  const key = `console_${job}${date === undefined ? '' : `_${date}`}`
  const request = { job, ...payload }
  // One statement: no job without its line, and no line without its job.
  const [row] = await select<{ id: string; is_same: boolean }>(
    pool,
    `with known as materialized (
       select result ->> 'queue_id' as id, request = $8::jsonb as is_same
       from marketdata.audit where audit_id = $5
     ), queued as materialized (
       select (graphile_worker.add_job($1, payload := $2::json, queue_name := $3,
         max_attempts := 1, job_key := $4)).id::text as id
       where not exists (select from known)
     ), logged as (
       insert into marketdata.audit (audit_id, at, program, instance, actor, origin, action, request,
         revision, before, after, result)
       select $5, now(), 'console', 'console', $6, $7, 'run_job', $8::jsonb, 0, 'null', 'null',
         jsonb_build_object('queue_id', id)
       from queued
       returning result ->> 'queue_id' as id
     )
     select id, is_same from known union all select id, true from logged`,
    [
      job,
      JSON.stringify(payload),
      described.queue,
      key,
      auditIdOf(name, idempotency_key),
      name,
      origin,
      JSON.stringify(request),
    ],
  )
  if (row!.is_same) return row!.id
  const title = 'This Idempotency-Key was used for another request.'
  const detail = 'Use a new key for every change, and the same to retry.'
  throw new Problem(422, 'key_reused', title, detail)
}

/** A UUID, the same for the same caller and key, so that a retry finds the line of the first. */
function auditIdOf(name: string, idempotency_key: string): string {
  const hex = createHash('sha256').update(`${name}\n${idempotency_key}`).digest('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ].join('-')
}

function isoOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
