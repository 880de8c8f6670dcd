/**
 * Work that takes much memory for a while: building a day, and writing hours to the archive. The
 * daemon has it done in a process that ends with it (heavy-process.ts), so that it stays small.
 */
import { runArchive } from '../archive/run-archive.ts'
import type { StaleDay } from '../datasets/stale-days.ts'
import type { RetentionSettings } from '../retention/settings.ts'
import { type DayTaskOptions, runDayTask } from './day-tasks.ts'

export type HeavyTask =
  | {
      readonly kind: 'day'
      readonly job: StaleDay['job']
      readonly payload: unknown
      readonly attempt: number
    }
  /** Each hour has a row of its own; what failed is thrown, and tried again. */
  | { readonly kind: 'archive' }

/** Its pool needs three connections. */
export interface HeavyOptions extends DayTaskOptions {
  readonly retention: RetentionSettings
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
  const { settle_us: delay_us } = options.retention
  await runArchive({ pool, store, work_dir, codec: 'zstd', log, now, signal, delay_us })
}
