/**
 * The job `rollups`: brings bt_1s, trade_1s and depth_1s up to date, or recomputes a window of
 * them. A failed rollup does not stop the others.
 */
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { fromMillis, type Micros, toIso } from '#core/time.ts'
import { type RunLog, type RunResult, runJob } from '../runs/run.ts'
import { recompute, refreshRollup } from './refresh.ts'
import { type Rollup, ROLLUPS } from './rollup.ts'
import { ceilSecond, floorSecond } from './slices.ts'

export const ROLLUPS_JOB = 'rollups'

export interface RollupsOptions {
  readonly pool: Pool
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
  /** Ends the run early, between two steps; the next run does the rest. */
  readonly signal: AbortSignal
  /** Span to recompute from the raw rows that still exist; undefined: new and invalid seconds. */
  readonly window?: RollupWindow | undefined
}

/** [from, to) */
export interface RollupWindow {
  readonly from: Micros
  readonly to: Micros
}

/** A run processes whatever is new, so all runs share one window and one lock. */
const NEWEST = 'newest'
/** A run every half minute gives 2,880 rows a day; older ones are deleted. */
const KEEP_S = 86_400

/** Errors: `run_in_progress`; `rollups_failed` if one failed, after the others were done. */
export function runRollups(options: RollupsOptions): Promise<RunResult> {
  const { pool, log, now, window } = options
  const run = { job: ROLLUPS_JOB, attempt: 1, now, log }
  return runJob(
    pool,
    window === undefined
      ? { ...run, job_window: NEWEST, keep_s: KEEP_S }
      : { ...run, job_window: `${toIso(window.from)}/${toIso(window.to)}` },
    (run_log) => runAll(options, run_log),
  )
}

async function runAll(options: RollupsOptions, log: RunLog): Promise<RunResult> {
  const { pool, signal } = options
  const window = options.window && {
    from: floorSecond(options.window.from),
    to: ceilSecond(options.window.to),
  }
  const failures: string[] = []
  let row_count = 0
  for (const rollup of ROLLUPS) {
    if (signal.aborted) break
    try {
      row_count +=
        window === undefined
          ? await refresh(options, rollup, log)
          : await recompute(pool, rollup, window, signal)
    } catch (error) {
      failures.push(`${rollup.name}: ${describeError(error)}`)
      const facts = { code: 'rollup_failed', rollup: rollup.name, error: describeError(error) }
      log.warn(facts, 'A rollup failed; the next run continues from there.')
    }
  }
  if (failures.length > 0) throw rollupsFailed(failures)
  return { row_count, byte_count: 0 }
}

async function refresh(
  { pool, now, signal }: RollupsOptions,
  rollup: Rollup,
  log: RunLog,
): Promise<number> {
  const done = await refreshRollup(pool, rollup, fromMillis(now()), signal)
  const { row_count, invalidation_count, beyond_raw_count } = done
  if (beyond_raw_count > 0) {
    const facts = { code: 'rollup_beyond_raw', rollup: rollup.name, beyond_raw_count }
    log.warn(facts, 'Late rows of dropped hours are in the archive, but not in the rollup.')
  }
  if (invalidation_count > 0) {
    log.info({ rollup: rollup.name, invalidation_count, row_count }, 'Recomputed for late rows.')
  }
  return row_count
}

function rollupsFailed(failures: readonly string[]): OperatorError {
  return new OperatorError('rollups_failed', `Rollups failed: ${failures.join('; ')}`, {
    hint: 'The next run continues where this one ended.',
    retryable: true,
  })
}
