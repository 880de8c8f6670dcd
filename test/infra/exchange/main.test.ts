import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { getJson } from './client.ts'

const ENTRY = fileURLToPath(new URL('../../../infra/exchange/main.ts', import.meta.url))

function start(env: Readonly<Record<string, string>>): {
  child: ChildProcess
  output: () => string
} {
  const child = fork(ENTRY, { env, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  let output = ''
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { child, output: () => output }
}

test('the program reports its URL to its parent, and stops on request', async () => {
  const { child } = start({ SYMBOL_COUNT: '2' })
  const [ready] = (await once(child, 'message')) as [{ type: string; url: string }]
  expect(ready.type).toBe('ready')
  const { body } = await getJson(`${ready.url}/_exchange/status`)
  expect(body).toMatchObject({ source: 'sim', state: 'playing', socket_count: 0 })
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('it stops when its parent exits', async () => {
  const { child } = start({ SYMBOL_COUNT: '1' })
  await once(child, 'message')
  child.disconnect()
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('invalid settings: exit code 1, and a log line that says what to correct', async () => {
  const { child, output } = start({ PORT: 'abc', EXCHANGE_SOURCE: 'replay', RECORDINGS: '' })
  expect(await once(child, 'exit')).toEqual([1, null])
  expect(JSON.parse(output())).toMatchObject({
    level: 'error',
    code: 'start_failed',
    error: expect.stringMatching(
      /PORT is 'abc', but must be .*RECORDINGS must be set.*environment variables/,
    ),
  })
})
