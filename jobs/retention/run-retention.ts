/** The job `retention`: makes a plan, then drops its partitions, each in its own transaction. */
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { DAY_US, fromMillis } from '#core/time.ts'
import { runJob, type RunLog, type RunResult } from '../runs/run.ts'
import { dropClusters, selectOldClusters } from './cluster-partitions.ts'
import { dropPartition } from './drop.ts'
import { selectPartitions } from './partitions.ts'
import { planRetention, type RetentionPlan } from './retention-plan.ts'
import type { RetentionSettings } from './settings.ts'

export const RETENTION_JOB = 'retention'

export interface RetentionOptions {
  readonly pool: Pool
  readonly settings: RetentionSettings
  readonly log: Logger
  readonly now: () => number
  readonly signal?: AbortSignal
}

export interface RetentionResult extends RunResult {
  readonly plan: RetentionPlan
  readonly dropped: readonly string[]
  /** Partitions that the plan would drop but that had to stay. */
  readonly kept: readonly { readonly partition: string; readonly why: string }[]
}

const WINDOW = 'all'
/** There is a run every five minutes. */
const KEEP_RUNS_S = (7 * DAY_US) / 1_000_000

/** The plan for the current state. */
export async function planNow({ pool, settings, now }: RetentionOptions): Promise<RetentionPlan> {
  return planRetention(await selectPartitions(pool), settings, fromMillis(now()))
}

/** Needs two connections of the pool. */
export function runRetention(options: RetentionOptions): Promise<RetentionResult> {
  const { pool, log, now } = options
  const run = {
    job: RETENTION_JOB,
    job_window: WINDOW,
    attempt: 1,
    keep_s: KEEP_RUNS_S,
    now,
    log,
  }
  return runJob(pool, run, async (run_log) => carryOut(options, await planNow(options), run_log))
}

/** A partition that must stay does not stop the others: each is archived on its own. */
async function carryOut(
  { pool, settings, now, signal }: RetentionOptions,
  plan: RetentionPlan,
  log: RunLog,
): Promise<RetentionResult> {
  const dropped: string[] = []
  const kept: { partition: string; why: string }[] = []
  let row_count = 0
  let byte_count = 0
  for (const { state, fate } of plan.partitions) {
    if (fate.kind === 'keep') continue
    signal?.throwIfAborted()
    const { partition } = state
    const outcome = await dropPartition(pool, state).catch((error: unknown) => ({
      kind: 'kept' as const,
      why: describeError(error),
    }))
    if (outcome.kind === 'kept') {
      kept.push({ partition, why: outcome.why })
      log.warn({ code: 'partition_kept', partition, why: outcome.why }, 'Cannot drop a partition.')
      continue
    }
    dropped.push(partition)
    row_count += outcome.row_count
    byte_count += state.byte_count
    log.info({ partition, reason: fate.reason, row_count: outcome.row_count }, 'Dropped.')
  }
  for (const partition of await selectOldClusters(
    pool,
    settings.clusters_days,
    fromMillis(now()),
  )) {
    signal?.throwIfAborted()
    try {
      byte_count += await dropClusters(pool, partition)
      dropped.push(partition)
      log.info({ partition, reason: 'age' }, 'Dropped.')
    } catch (error) {
      const why = describeError(error)
      kept.push({ partition, why })
      log.warn({ code: 'partition_kept', partition, why }, 'Cannot drop a partition.')
    }
  }
  return { row_count, byte_count, plan, dropped, kept }
}
