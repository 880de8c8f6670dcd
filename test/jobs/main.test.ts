/** The daemon as a process: how it starts, stops and refuses to start. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { programEnv } from '../support/program-env.ts'
import { createStand } from './stand.ts'

const MAIN = join(import.meta.dirname, '../../jobs/main.ts')

function start(env: Readonly<Record<string, string>>): {
  child: ChildProcess
  output: () => string
} {
  const child = fork(MAIN, { env: programEnv({ ...env, TZ: 'UTC' }), silent: true, execArgv: [] })
  let output = ''
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { child, output: () => output }
}

test('it says that it is ready, and a stop ends it with code 0', async () => {
  const stand = await createStand()
  const { endpoint, bucket, region, access_key_id, secret_access_key } = stand.store_config
  const { child, output } = start({
    DATABASE_URL: stand.database_url,
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket,
    S3_REGION: region,
    S3_ACCESS_KEY_ID: access_key_id,
    S3_SECRET_ACCESS_KEY: secret_access_key,
    WORK_DIR: join(stand.dir, 'work'),
  })
  const [message] = (await once(child, 'message')) as [unknown]
  expect(message).toEqual({ type: 'ready' })
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  for (const line of output().trimEnd().split('\n')) {
    expect(JSON.parse(line)).toMatchObject({ program: 'jobs', level: 'info' })
  }
})

test('without its settings it names all of them and ends with code 1', async () => {
  const { child, output } = start({})
  expect(await once(child, 'exit')).toEqual([1, null])
  const line = JSON.parse(output().trim()) as { readonly code: string; readonly error: string }
  expect(line.code).toBe('bad_config')
  for (const name of ['DATABASE_URL', 'S3_ENDPOINT', 'WORK_DIR']) expect(line.error).toContain(name)
})

test('if the database refuses it, it ends with code 1 and a sentence, not a stack', async () => {
  const { child, output } = start({
    DATABASE_URL: 'postgres://u:hidden@127.0.0.1:1/db',
    S3_ENDPOINT: 'http://127.0.0.1:1',
    S3_BUCKET: 'b',
    S3_REGION: 'auto',
    S3_ACCESS_KEY_ID: 'k',
    S3_SECRET_ACCESS_KEY: 's',
    WORK_DIR: await mkdtemp(join(tmpdir(), 'booktape-jobs-')),
  })
  expect(await once(child, 'exit')).toEqual([1, null])
  expect(JSON.parse(output().trim())).toMatchObject({ code: 'start_failed' })
  expect(output()).not.toContain('hidden')
})
