/** Waits that would never end if the awaited process has died. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withDeadline } from '#core/waiting.ts'
import { startChild } from '../../infra/local/child.ts'
import { drain } from './limits.ts'

test('an ingestor that crashes while it drains ends the run, with its exit and the end of its log', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-limits-'))
  const log_file = join(dir, 'ingestor.log')
  const child = startChild({
    name: 'ingestor',
    entry: 'test/chaos/crash-on-drain.ts',
    env: {},
    log_file,
  })
  try {
    await child.ready
    const never = new Promise<void>(() => undefined)
    await expect(drain(child, never, 60_000)).rejects.toThrow(
      /exited while it drained \(exit code 3\).*\n.*The writer has ended\./,
    )
  } finally {
    await child.stop()
    rmSync(dir, { recursive: true, force: true })
  }
})

test('a step that hangs is an error; one that ends in time is not', async () => {
  const never = new Promise<void>(() => undefined)
  await expect(withDeadline(never, 1, () => new Error('It hangs.'))).rejects.toThrow('It hangs.')
  expect(await withDeadline(Promise.resolve(7), 60_000, () => new Error('late'))).toBe(7)
})
