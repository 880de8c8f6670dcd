/**
 * Runs a job for one window: takes a lock, so that two runs of one window never overlap, and adds a
 * row with the run's log to marketdata.job_runs. The same lines go to the program's own log.
 */
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Locks, locksOf } from './locks.ts'
import { announceRun, type RunEvent } from './run-events.ts'

export interface Run {
  readonly job: string
  /** What the run covers, for example a UTC day. */
  readonly job_window: string
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Rows of the same window that are older are deleted [s]; undefined: none. */
  readonly keep_s?: number
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
  readonly log: Logger
}

export interface RunLog {
  info(facts: Readonly<Record<string, unknown>>, sentence: string): void
  warn(facts: Readonly<Record<string, unknown>>, sentence: string): void
}

export interface RunResult {
  readonly row_count: number
  readonly byte_count: number
}

type Level = 'info' | 'warn' | 'error'
type LogLine = Readonly<Record<string, unknown>> & { readonly ts: string; readonly level: Level }

/** Lines after the first 500 go to the program's log only. */
const LOG_LINES_MAX = 500
/** While a run lasts, its row has lines that are older than this. */
const LIVE_MS = 1_000
const LOCK_CLASS = 'booktape.job'

/** Runs `work` under the lock and records how it ended. */
export async function runJob<T extends RunResult>(
  pool: Pool,
  run: Run,
  work: (log: RunLog) => Promise<T>,
): Promise<T> {
  const result = await withLock(pool, run.job, run.job_window, () =>
    recordRun(locksOf(pool), run, work),
  )
  if (result.kind === 'done') return result.value
  throw new OperatorError(
    'run_in_progress',
    `Job ${run.job} is already running for ${run.job_window}.`,
    { hint: '`npx booktape jobs ls` shows it. Try again when it is done.', retryable: true },
  )
}

/** Runs `work` unless another run holds the window's lock. The session's end frees it. */
export async function withLock<T>(
  pool: Pool,
  job: string,
  job_window: string,
  work: () => Promise<T>,
): Promise<{ readonly kind: 'done'; readonly value: T } | { readonly kind: 'taken' }> {
  const locks = locksOf(pool)
  const names = [LOCK_CLASS, `${job}:${job_window}`] as const
  if (!(await locks.take(names))) return { kind: 'taken' }
  try {
    return { kind: 'done', value: await work() }
  } finally {
    await locks.free(names)
  }
}

async function recordRun<T extends RunResult>(
  db: Locks,
  run: Run,
  work: (log: RunLog) => Promise<T>,
): Promise<T> {
  await failInterrupted(db, run)
  await forgetOld(db, run)
  const id = await insertRun(db, run)
  const began_ms = performance.now()
  const announce = (status: RunEvent['status'], counts: RunResult): void => {
    const elapsed_s = (performance.now() - began_ms) / 1_000
    const { row_count, byte_count } = counts
    announceRun({ job: run.job, status, elapsed_s, row_count, byte_count })
  }
  const lines: LogLine[] = []
  const live = createLiveLog(db, id, lines)
  const write = (level: Level, facts: Readonly<Record<string, unknown>>, msg: string): void => {
    run.log[level]({ job: run.job, job_window: run.job_window, ...facts }, msg)
    if (lines.length >= LOG_LINES_MAX) return
    lines.push({ ...facts, ts: new Date(run.now()).toISOString(), level, msg })
    live.grew()
  }
  try {
    const result = await work({
      info: (facts, msg) => write('info', facts, msg),
      warn: (facts, msg) => write('warn', facts, msg),
    })
    await live.stop()
    await finishRun(db, id, run, { status: 'done', ...result, error: null, lines })
    announce('done', result)
    return result
  } catch (error) {
    announce('failed', { row_count: 0, byte_count: 0 })
    const message = describeError(error)
    const code = error instanceof OperatorError ? error.code : 'job_failed'
    write('error', { code, error: message }, 'The run failed.')
    await live.stop()
    await finishRun(db, id, run, {
      status: 'failed',
      row_count: null,
      byte_count: null,
      error: message,
      lines,
    }).catch((cause: unknown) => {
      // Postgres itself may have failed; the first error says more than this one.
      const facts = { code: 'job_row_lost', error: describeError(cause) }
      run.log.warn(facts, 'Cannot record the end of the run in job_runs.')
    })
    throw error
  }
}

interface LiveLog {
  /** There is another line. */
  grew(): void
  /** Nothing is written after it. */
  stop(): Promise<void>
}

/**
 * Shows the lines while the run lasts, at most once in LIVE_MS. A line that cannot be shown waits
 * for the end.
 */
function createLiveLog(db: Locks, id: string, lines: readonly LogLine[]): LiveLog {
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<unknown> = Promise.resolve()
  const show = (): void => {
    timer = undefined
    const values = [id, JSON.stringify(lines)]
    const text = 'update marketdata.job_runs set log_lines = $2 where id = $1'
    writing = writing.then(() => db.query(text, values)).catch(() => undefined)
  }
  return {
    grew() {
      timer ??= setTimeout(show, LIVE_MS)
    },
    async stop() {
      clearTimeout(timer)
      await writing
    },
  }
}

/** The caller holds the lock, so a row with status "running" belongs to a process that died. */
async function failInterrupted(db: Locks, { job, job_window, now }: Run): Promise<void> {
  await db.query(
    `update marketdata.job_runs
     set status = 'failed', finished_at = $3,
       error = 'The process ended during the run.'
     where job = $1 and job_window = $2 and status = 'running'`,
    [job, job_window, new Date(now())],
  )
}

async function forgetOld(db: Locks, run: Run): Promise<void> {
  const { job, job_window, keep_s, now } = run
  if (keep_s === undefined) return
  await db.query(
    `delete from marketdata.job_runs
     where job = $1 and job_window = $2 and started_at < $3`,
    [job, job_window, new Date(now() - keep_s * 1_000)],
  )
}

async function insertRun(db: Locks, { job, job_window, attempt, now }: Run): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `insert into marketdata.job_runs (job, job_window, status, attempt, started_at)
     values ($1, $2, 'running', $3, $4) returning id`,
    [job, job_window, attempt, new Date(now())],
  )
  return row!.id
}

interface RunEnd {
  readonly status: 'done' | 'failed'
  readonly row_count: number | null
  readonly byte_count: number | null
  readonly error: string | null
  readonly lines: readonly LogLine[]
}

async function finishRun(db: Locks, id: string, { now }: Run, end: RunEnd): Promise<void> {
  const { status, row_count, byte_count, error, lines } = end
  await db.query(
    `update marketdata.job_runs
     set status = $2, finished_at = $3, row_count = $4, byte_count = $5, error = $6, log_lines = $7
     where id = $1`,
    [id, status, new Date(now()), row_count, byte_count, error, JSON.stringify(lines)],
  )
}
