import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { isPure, testFiles } from './test/support/kinds.ts'
import { LongestFirst } from './test/support/longest-first.ts'

/** Programs that tests start find their modules compiled. */
const NODE_COMPILE_CACHE = join(import.meta.dirname, 'node_modules/.cache/node')

const files = testFiles()

export default defineConfig({
  test: {
    // One more than cores: most tests wait for Postgres, workerd or sockets part of their time.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    expect: { poll: { timeout: 100_000 } },
    // Far above what a test takes: these end a test that hangs, on any machine.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    env: { NODE_COMPILE_CACHE },
    setupFiles: ['test/support/setup.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'pure',
          include: files.filter(isPure),
          // Files share a process and its modules: loading them anew took half of the CPU.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'services',
          include: files.filter((file) => !isPure(file)),
          globalSetup: [
            'test/support/global-setup.ts',
            'test/support/global-store.ts',
            'test/support/global-worker.ts',
          ],
        },
      },
    ],
  },
})
