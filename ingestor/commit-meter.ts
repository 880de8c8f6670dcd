/** Counts the writer's commits, and measures recent rows per second. */
import type { Commit } from './writer/progress.ts'

export interface CommitMeter {
  readonly batch_count: number
  note(commits: readonly Commit[]): void
  /** Over the last WINDOW_MS. */
  rowsPerSecond(): number
  /** Calls `listener` with every commit from now on. */
  onCommit(listener: (commit: Commit) => void): void
}

const WINDOW_MS = 10_000

export function createCommitMeter(now_ms: () => number = () => performance.now()): CommitMeter {
  const began_ms = now_ms()
  const listeners: ((commit: Commit) => void)[] = []
  let batch_count = 0
  let recent: { readonly at_ms: number; readonly row_count: number }[] = []
  const forgetOld = (): void => {
    const oldest_ms = now_ms() - WINDOW_MS
    recent = recent.filter(({ at_ms }) => at_ms > oldest_ms)
  }
  return {
    get batch_count() {
      return batch_count
    },
    note(commits) {
      batch_count += commits.length
      recent.push({
        at_ms: now_ms(),
        row_count: commits.reduce((sum, one) => sum + one.row_count, 0),
      })
      forgetOld()
      for (const commit of commits) for (const listen of listeners) listen(commit)
    },
    rowsPerSecond() {
      forgetOld()
      const rows = recent.reduce((sum, { row_count }) => sum + row_count, 0)
      const seconds = Math.max(1, Math.min(WINDOW_MS, now_ms() - began_ms) / 1_000)
      return Math.round(rows / seconds)
    },
    onCommit: (listener) => void listeners.push(listener),
  }
}
