/**
 * Programs and commands start in a copy of the project with production dependencies only. Each
 * gets an empty environment: the message about it shows that the program loaded its modules.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { ROOT } from '../support/imports.ts'
import { productionPackages } from './packages.ts'

const SOURCES = ['package.json', 'core', 'ingestor', 'jobs', 'edge-api', 'infra', 'sql']
const LEFT_OUT = /(^|\/)(node_modules|dist|\.wrangler)$/

const dir = mkdtempSync(join(tmpdir(), 'booktape-production-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

beforeAll(() => {
  for (const name of SOURCES) {
    cpSync(join(ROOT, name), join(dir, name), {
      recursive: true,
      filter: (source) => !LEFT_OUT.test(source),
    })
  }
  // As the image has them: without optional packages.
  for (const { path, is_optional } of productionPackages()) {
    if (is_optional) continue
    cpSync(join(ROOT, path), join(dir, path), {
      recursive: true,
      filter: (source) => !source.slice(join(ROOT, path).length).includes('/node_modules'),
    })
  }
})

interface Ended {
  readonly code: number
  readonly output: string
}

function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: dir, env }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : 0
      resolve({ code, output: stdout + stderr })
    })
  })
}

for (const [entry, variable] of [
  ['ingestor/main.ts', 'DATABASE_URL'],
  ['ingestor/live/main.ts', 'DATABASE_URL'],
  ['jobs/main.ts', 'DATABASE_URL'],
  ['edge-api/gateway/main.ts', 'GATEWAY_SECRET'],
  ['infra/console/main.ts', 'DATABASE_URL'],
] as const) {
  test.concurrent(`${entry} starts, and names the variables that it lacks`, async ({ expect }) => {
    const { code, output } = await run([entry])
    expect(output).toMatch(new RegExp(`\\b${variable} (is missing|must be)`))
    expect(code).toBe(1)
  })
}

test.concurrent('the command line loads every command', async ({ expect }) => {
  const { code, output } = await run(['infra/cli/booktape.mjs', '--help'])
  for (const name of ['migrate', 'doctor', 'jobs', 'status', 'start']) expect(output).toMatch(name)
  expect(code).toBe(0)
})

test.concurrent('migrate says that it needs a database', async ({ expect }) => {
  const { code, output } = await run(['infra/cli/booktape.mjs', 'migrate'])
  expect(output).toContain('DATABASE_URL is not set')
  expect(code).toBe(2)
})

test.concurrent('the local stack says that it needs a checkout', async ({ expect }) => {
  const data_dir = join(dir, 'data')
  const { code, output } = await run(['infra/cli/booktape.mjs', 'start', '--data-dir', data_dir])
  expect(output).toContain('run `npm ci` without --omit')
  expect(code).toBe(1)
})

test.concurrent('wrangler is named where a command needs it', async ({ expect }) => {
  const args = ['token', 'revoke', 'abcdefghijklmnop', '--env', 'staging']
  const { code, output } = await run(['infra/cli/booktape.mjs', ...args])
  expect(output).toContain('node_modules has no wrangler')
  expect(code).toBe(1)
})
