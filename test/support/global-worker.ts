/** One folder for the run's bundle of the edge worker (test/support/worker-bundle.ts). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    worker_dir: string
  }
}

export default function setup(project: TestProject): () => void {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-test-worker-'))
  project.provide('worker_dir', dir)
  return () => rmSync(dir, { recursive: true, force: true })
}
