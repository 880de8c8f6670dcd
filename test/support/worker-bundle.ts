/**
 * The bundle of the edge worker, built once for the whole run: it takes wrangler seconds of CPU.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inject } from 'vitest'
import { buildWorker, type WorkerBundle } from '../../infra/local/worker.ts'

export async function workerBundle(): Promise<WorkerBundle> {
  const dir = inject('worker_dir')
  const [taken, done] = [join(dir, 'taken'), join(dir, 'done')]
  const out_dir = join(dir, 'bundle')
  if (take(taken)) {
    try {
      return await buildWorker(out_dir)
    } finally {
      mkdirSync(done)
    }
  }
  while (!existsSync(done)) await sleep(50)
  // Reads what was built. If that failed, it fails here with the same message.
  return buildWorker(out_dir)
}

/** False if another file builds, perhaps in another process. */
function take(dir: string): boolean {
  try {
    mkdirSync(dir)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}
