import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // One more than cores: most tests wait for Postgres, workerd or sockets part of their time.
    maxWorkers: 3,
    expect: { poll: { timeout: 100_000 } },
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
