import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openNotifySocket, whyNoNotify } from '../../support/notify-socket.ts'
import { programEnv } from '../../support/program-env.ts'

const why_not = whyNoNotify()
if (why_not !== undefined) process.stderr.write(`sd_notify is not tested: ${why_not}\n`)

const PERIOD_MS = 600

function startProgram(env: Readonly<Record<string, string>>): ChildProcess {
  return fork(join(import.meta.dirname, 'notify-main.ts'), [], {
    execArgv: [],
    env: programEnv(env),
  })
}

test.skipIf(why_not !== undefined)(
  'a program is ready when it says so, answers the watchdog while all of it lives, and stops',
  async () => {
    const { path, messages } = await openNotifySocket()
    const program = startProgram({
      NOTIFY_SOCKET: path,
      WATCHDOG_USEC: String(PERIOD_MS * 1_000),
    })
    const answers = (): number => messages.filter((text) => text === 'WATCHDOG=1').length
    /** What was sent before may still be on its way. */
    const isSilent = async (): Promise<boolean> => {
      const before = answers()
      await sleep(2 * PERIOD_MS)
      return answers() === before
    }
    await sleep(PERIOD_MS)
    expect(messages).toEqual([])
    program.send('ready')
    await expect.poll(() => messages[0]).toBe('READY=1')
    await expect.poll(answers).toBeGreaterThan(2)
    program.send('part hangs')
    await expect.poll(isSilent).toBe(true)
    program.send('part goes on')
    const heard = answers()
    await expect.poll(answers).toBeGreaterThan(heard)
    program.send('stop')
    const [code] = (await once(program, 'exit')) as [number]
    expect(code).toBe(0)
    await expect.poll(() => messages.at(-1)).toBe('STOPPING=1')
    expect(new Set(messages)).toEqual(new Set(['READY=1', 'WATCHDOG=1', 'STOPPING=1']))
  },
)

test.skipIf(why_not !== undefined)('a hanging event loop answers no watchdog', async () => {
  const { path, messages } = await openNotifySocket()
  const program = startProgram({ NOTIFY_SOCKET: path, WATCHDOG_USEC: String(PERIOD_MS * 1_000) })
  program.send('ready')
  await expect.poll(() => messages.length).toBeGreaterThan(2)
  program.send('hang')
  await expect
    .poll(async () => {
      const before = messages.length
      await sleep(2 * PERIOD_MS)
      return messages.length === before
    })
    .toBe(true)
  program.kill('SIGKILL')
})

test('without a service manager nothing is sent, and nothing keeps the program running', async () => {
  const program = startProgram({})
  program.send('ready')
  program.send('stop')
  const [code] = (await once(program, 'exit')) as [number]
  expect(code).toBe(0)
})
