import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { hasLongForm, isLong, isPure, testFiles } from './test/support/kinds.ts'
import { LongestFirst } from './test/support/longest-first.ts'

/** Programs that tests start find their modules compiled. */
const NODE_COMPILE_CACHE = join(import.meta.dirname, 'node_modules/.cache/node')

const files = testFiles()
const short = files.filter((file) => !isLong(file))

/** Postgres, the object store and the worker's bundle, once for the whole run. */
const globalSetup = [
  'test/support/global-setup.ts',
  'test/support/global-store.ts',
  'test/support/global-worker.ts',
]

export default defineConfig({
  test: {
    // More than cores: most tests wait for Postgres, workerd or sockets part of their time.
    maxWorkers: 4,
    // Files share a process and its modules: loading them anew took a quarter of the CPU.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    expect: { poll: { timeout: 100_000 } },
    // Far above what a test takes: these end a test that hangs, on any machine.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    env: { NODE_COMPILE_CACHE },
    setupFiles: ['test/support/setup.ts'],
    projects: [
      { extends: true, test: { name: 'pure', include: short.filter(isPure) } },
      {
        extends: true,
        test: { name: 'services', include: short.filter((file) => !isPure(file)), globalSetup },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: files.filter((file) => isLong(file) || hasLongForm(file)),
          env: { LONG_TESTS: '1' },
          globalSetup,
        },
      },
    ],
  },
})
