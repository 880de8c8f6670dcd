/**
 * Tasks that need much memory for a while: building a day, archiving hours, and backups. The daemon
 * runs each in a child process (jobs/heavy-process.ts), so that its own memory stays small.
 */
import { runArchive } from '../archive/run-archive.ts'
import type { BackupKind } from '../backup/manifest.ts'
import { runBackup } from '../backup/run-backup.ts'
import type { BackupSettings } from '../backup/settings.ts'
import type { StaleDay } from '../datasets/stale-days.ts'
import type { RetentionSettings } from '../retention/settings.ts'
import type { Failure } from '../runs/failure.ts'
import type { RunEvent } from '../runs/run-events.ts'
import { type DayTaskOptions, runDayTask } from './day-tasks.ts'

export type HeavyTask =
  | {
      readonly kind: 'day'
      readonly job: StaleDay['job']
      readonly payload: unknown
      readonly attempt: number
    }
  /** Each hour has its own row in job_runs. A failure is thrown, and the queue tries again. */
  | { readonly kind: 'archive' }
  | { readonly kind: 'backup'; readonly of: BackupKind }

/** How the process of a task reports its end. */
export type FromHeavy =
  | { readonly type: 'run_ended'; readonly run: RunEvent }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly failure: Failure }

/** Its pool needs two connections. */
export interface HeavyOptions extends DayTaskOptions {
  readonly retention: RetentionSettings
  readonly backup: BackupSettings
}

export type RunHeavy = (task: HeavyTask, signal: AbortSignal) => Promise<void>

export async function runHeavyTask(
  options: HeavyOptions,
  task: HeavyTask,
  signal: AbortSignal,
): Promise<void> {
  if (task.kind === 'day') {
    return runDayTask(options, task.job, task.payload, task.attempt, signal)
  }
  const { pool, store, work_dir, log, now } = options
  if (task.kind === 'backup') {
    const settings = options.backup
    await runBackup({ pool, store, work_dir, settings, kind: task.of, log, now, signal })
    return
  }
  const { settle_us: delay_us } = options.retention
  await runArchive({ pool, store, work_dir, codec: 'zstd', log, now, signal, delay_us })
}
