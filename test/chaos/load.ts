/** Keeps the machine busy during a run: every core, the memory, and the disk with syncs. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { LoadTask } from './load-worker.ts'

export interface Load {
  stop(): Promise<void>
}

const DISK_WRITERS = 2

/**
 * One busy loop per core, one that rewrites memory, and writers of files in `dir`. All end with
 * this process at the latest.
 */
export function startLoad(dir: string): Load {
  const tasks: readonly LoadTask[] = [
    ...Array.from({ length: availableParallelism() }, (): LoadTask => ({ kind: 'core' })),
    { kind: 'memory' },
    ...Array.from({ length: DISK_WRITERS }, (_, index): LoadTask => ({
      kind: 'disk',
      file: join(dir, `load-${index}`),
    })),
  ]
  const entry = new URL('./load-worker.ts', import.meta.url)
  const workers = tasks.map((task) => new Worker(entry, { workerData: task }))
  return {
    async stop() {
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}
