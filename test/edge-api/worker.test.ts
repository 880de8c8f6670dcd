/** The bundle in real workerd: all that the edge API does, and what is special to the bundle. */
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { buildWorker, startWorker } from '../../infra/local/worker.ts'
import { testRuntime } from './runtime.ts'

const bundle_dir = await mkdtemp(join(tmpdir(), 'booktape-bundle-'))
const bundle = await buildWorker(join(bundle_dir, 'bundle'))
afterAll(() => rm(bundle_dir, { recursive: true }))

await testRuntime((bindings, dir) =>
  startWorker({ port: 0, bundle, bindings, persist_dir: join(dir, 'state') }),
)

test('the bundle stays below 150 KiB compressed', () => {
  expect(bundle.gzip_bytes).toBeLessThan(150 * 1024)
})

test('it is not built again while its sources are the same', async () => {
  const { mtimeMs } = statSync(bundle.script_path)
  expect(await buildWorker(join(bundle_dir, 'bundle'))).toEqual(bundle)
  expect(statSync(bundle.script_path).mtimeMs).toBe(mtimeMs)
})
