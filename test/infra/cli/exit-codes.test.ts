/** Every command ends with the exit codes of docs/operate.md. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'vitest'

const CLI = join(import.meta.dirname, '../../../infra/cli/booktape.mjs')

test.concurrent.for([
  [0, '--help'],
  [0, 'jobs run features --help'],
  [2, ''],
  [2, 'nonsense'],
  [2, 'start --nonsense'],
  [2, 'start --feed nonsense'],
  [2, 'start --dry-run'],
  [2, 'jobs run features'],
  [2, 'jobs run features --date yesterday'],
  [2, 'token create --scope nonsense'],
  [2, 'status --nonsense'],
  [2, 'doctor --settings /nowhere'],
  [3, 'doctor --data-dir /nowhere'],
  [3, 'validate --data-dir /nowhere'],
  [3, 'status --data-dir /nowhere'],
  [3, 'jobs ls --data-dir /nowhere'],
  [3, 'db-stats --data-dir /nowhere'],
] as const)('%i: booktape %s', async ([code, text], { expect }) => {
  expect(await exitCode(text.split(' ').filter((word) => word !== ''))).toBe(code)
})

test('3: booktape db-stats, with a Postgres that does not answer', async ({ expect }) => {
  const DATABASE_URL = 'postgres://nobody:nothing@127.0.0.1:1/none'
  expect(await exitCode(['db-stats'], { DATABASE_URL })).toBe(3)
})

function exitCode(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return new Promise<number>((resolve) => {
    const options = { env: { PATH: process.env['PATH'] ?? '', ...env } }
    execFile(process.execPath, [CLI, ...args], options, (error) => {
      resolve(error === null ? 0 : Number(error.code))
    })
  })
}
