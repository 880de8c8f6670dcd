import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { identify } from '#core/node/process-table.ts'
import { launcherOf, watchLauncher } from '../../infra/local/launcher.ts'

test('npm, npx and an older Node are launchers; a shell, and an npm that runs something else, are not', () => {
  const parent = identify(process.ppid)
  for (const [env, expected] of [
    [{ npm_lifecycle_script: 'exec node infra/cli/booktape.mjs start' }, parent],
    [{ npm_lifecycle_script: 'booktape start' }, parent],
    [{ BOOKTAPE_HANDED_OVER: '1' }, parent],
    [{ npm_lifecycle_script: 'vitest run' }, undefined],
    [{}, undefined],
  ] as const) {
    expect(launcherOf(env, process.ppid)).toEqual(expected)
  }
})

test("the launcher's exit is reported once, and not before", async () => {
  const launcher = spawn('sleep', ['600'], { stdio: 'ignore' })
  const gone = Promise.withResolvers<void>()
  let told = 0
  watchLauncher(identify(launcher.pid!), () => {
    told += 1
    gone.resolve()
  })
  const keep_alive = setInterval(() => undefined, 100)
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(told).toBe(0)
  launcher.kill('SIGKILL')
  await gone.promise
  await new Promise((resolve) => setTimeout(resolve, 700))
  clearInterval(keep_alive)
  expect(told).toBe(1)
})
