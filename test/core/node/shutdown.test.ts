/** Signals to a real process: what stops it, in which order, and with which exit code. */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'

const PROGRAM = `
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '#core/node/log.ts'
import { onShutdown } from '#core/node/shutdown.ts'
const [stop_ms, interrupted_code] = process.argv.slice(1).map(Number)
onShutdown(silentLogger, async (reason) => {
  console.log(reason)
  await sleep(stop_ms)
  console.log('stopped')
}, 30_000, interrupted_code)
setInterval(() => undefined, 1_000)
console.log('ready')
`

interface End {
  readonly code: number | null
  readonly lines: readonly string[]
}

/**
 * Sends the signals once the program is ready. Each signal's pause starts when the program has
 * received the previous one.
 */
async function run(
  stop_ms: number,
  interrupted_code: number,
  ...signals: readonly (readonly [pause_ms: number, signal: NodeJS.Signals])[]
): Promise<End> {
  const args = [
    '--input-type=module-typescript',
    '-e',
    PROGRAM,
    String(stop_ms),
    String(interrupted_code),
  ]
  const child = spawn(process.execPath, args, {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  const ready = Promise.withResolvers<void>()
  child.stdout.on('data', (chunk) => {
    text += String(chunk)
    if (text.includes('ready')) ready.resolve()
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  await ready.promise
  for (const [pause_ms, signal] of signals) {
    await sleep(pause_ms)
    child.kill(signal)
    await expect.poll(() => text.includes(signal) || child.exitCode !== null).toBe(true)
  }
  return { code: await ended, lines: text.trim().split('\n').slice(1) }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} stops in order`, async () => {
    expect(await run(50, 0, [0, signal])).toEqual({ code: 0, lines: [signal, 'stopped'] })
  })
}

test('work that a signal interrupts has its own exit code', async () => {
  expect(await run(0, 1, [0, 'SIGTERM'])).toEqual({ code: 1, lines: ['SIGTERM', 'stopped'] })
})

test('Ctrl-C that arrives twice, from the terminal and from npm, is one signal', async () => {
  const end = await run(500, 0, [0, 'SIGINT'], [0, 'SIGINT'])
  expect(end).toEqual({ code: 0, lines: ['SIGINT', 'stopped'] })
})

test('a second Ctrl-C by an impatient user exits at once', async () => {
  const end = await run(60_000, 0, [0, 'SIGINT'], [1_200, 'SIGINT'])
  expect(end).toEqual({ code: 1, lines: ['SIGINT'] })
})
