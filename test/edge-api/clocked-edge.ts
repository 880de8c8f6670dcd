/** The app over its own database and store, at a time that the test chooses. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '#core/node/log.ts'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { atFileEnd } from '../support/file-end.ts'
import type { Ask } from './contract.ts'
import { startEdge } from './support.ts'

export async function startClockedEdge(start: string) {
  const edge = await startEdge()
  const { pool, store } = edge
  const clock = { now_ms: Date.parse(start) }
  const reported: unknown[] = []
  const app = composeApp(edge.bindings, {
    now: () => fromMillis(clock.now_ms),
    report: (error) => reported.push(error),
  })
  const ask: Ask = async (path, init) => app.request(path, init)
  const work_dir = await mkdtemp(join(tmpdir(), 'booktape-edge-'))
  atFileEnd(() => rm(work_dir, { recursive: true }))
  return {
    edge,
    pool,
    store,
    clock,
    /** Errors behind answers from 500 up. */
    reported,
    ask,
    /** Deleted at the end of the file. */
    work_dir,
    /** Options of jobs. */
    common: { pool, log: silentLogger, now: () => clock.now_ms },
  }
}
