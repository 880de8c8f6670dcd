import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { identify, isRunning } from '#core/node/process-table.ts'
import { openDataDir, readStackFile } from '../../infra/local/data-dir.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'booktape-data-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const stack = {
  postgres_url: 'postgres://a',
  edge_url: 'http://b',
  console_url: 'http://d',
  console_token: 't',
  gateway_url: 'http://c',
  live_url: null,
  clusters_url: 'http://127.0.0.1:0',
  exchange_url: null,
  object_store: {
    endpoint: 'e',
    bucket: 'b',
    region: 'r',
    access_key_id: 'k',
    secret_access_key: 's',
  },
  jobs_settings: { RAW_DISK_BUDGET_GB: '1.5' },
  environments: { jobs: { RAW_DISK_BUDGET_GB: '1.5' } },
}

test('one stack at a time holds a folder, and releases it afterwards', async () => {
  const held = await openDataDir(dir)
  await expect(openDataDir(dir)).rejects.toThrow(/already running/)
  held.release()
  const again = await openDataDir(dir)
  expect(again.secrets).toEqual(held.secrets)
  again.release()
})

test('the lock of a process that has exited, or whose pid was reused, is taken over', async () => {
  writeFileSync(join(dir, 'stack.lock'), JSON.stringify({ pid: process.pid, started: 'long ago' }))
  const held = await openDataDir(dir)
  expect(JSON.parse(readFileSync(join(dir, 'stack.lock'), 'utf8'))).toEqual(identify(process.pid))
  held.release()
})

test('if the npm of a holder was killed, the next start waits for the holder to stop', async () => {
  const holder = spawn('sleep', ['1'], { stdio: 'ignore' })
  const launcher = { pid: process.pid, started: 'long ago' }
  writeFileSync(join(dir, 'stack.lock'), JSON.stringify({ ...identify(holder.pid!), launcher }))
  const held = await openDataDir(dir)
  expect(identify(holder.pid!)).toBeUndefined()
  held.release()
})

test('an unusable folder has a clear message', async () => {
  const file = join(dir, 'file')
  writeFileSync(file, '')
  await expect(openDataDir(file)).rejects.toThrow(/data directory .*file cannot be used/)
})

test('orphans of a killed supervisor are ended before the folder is used', async () => {
  const orphan = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
  const identity = identify(orphan.pid!)!
  writeFileSync(join(dir, 'children.json'), JSON.stringify([identity]))
  const held = await openDataDir(dir)
  expect(isRunning(identity)).toBe(false)
  held.release()
})

test('stack.json is readable only by its owner, and used only while the stack runs', async () => {
  const held = await openDataDir(dir)
  held.writeStackFile(stack)
  expect(statSync(join(dir, 'stack.json')).mode & 0o777).toBe(0o600)
  expect(statSync(join(dir, 'secrets.json')).mode & 0o777).toBe(0o600)
  expect(readStackFile(dir)).toEqual(stack)
  held.release()
  expect(() => readStackFile(dir)).toThrow(/No stack is running/)
})
