import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

/** `npm run test:image`; it is no part of `npm test`, because it builds for a minute. */
export default defineConfig({
  root: join(import.meta.dirname, '../..'),
  test: {
    include: ['test/image/suite.ts'],
    expect: { poll: { timeout: 100_000 } },
    testTimeout: 600_000,
    hookTimeout: 600_000,
    setupFiles: ['test/support/setup.ts'],
    globalSetup: ['test/support/global-setup.ts', 'test/support/global-store.ts'],
  },
})
