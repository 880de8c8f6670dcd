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
  gateway_url: 'http://c',
  exchange_url: null,
  object_store: { endpoint: 'e', bucket: 'b', region: 'r', access_key_id: 'k', secret_access_key: 's' },
  jobs_settings: { RAW_DISK_BUDGET_GB: '1.5' },
  environments: { jobs: { RAW_DISK_BUDGET_GB: '1.5' } },
}

test('a folder is held by one stack at a time, and free again afterwards', async () => {
  const held = await openDataDir(dir)
  await expect(openDataDir(dir)).rejects.toThrow(/already running/)
  held.release()
  const again = await openDataDir(dir)
  expect(again.secrets).toEqual(held.secrets)
  again.release()
})

test('the lock of a process that is gone, or whose pid was given to another, is taken over', async () => {
  writeFileSync(join(dir, 'stack.lock'), JSON.stringify({ pid: process.pid, started: 'long ago' }))
  const held = await openDataDir(dir)
  expect(JSON.parse(readFileSync(join(dir, 'stack.lock'), 'utf8'))).toEqual(identify(process.pid))
  held.release()
})

test('a holder whose npm was killed is stopping: it is waited for, not refused', async () => {
  const holder = spawn('sleep', ['1'], { stdio: 'ignore' })
  const launcher = { pid: process.pid, started: 'long ago' }
  writeFileSync(join(dir, 'stack.lock'), JSON.stringify({ ...identify(holder.pid!), launcher }))
  const held = await openDataDir(dir)
  expect(identify(holder.pid!)).toBeUndefined()
  held.release()
})

test('a folder that may not be used is refused in words', async () => {
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

test('stack.json is readable by its owner alone and only believed while the stack runs', async () => {
  const held = await openDataDir(dir)
  held.writeStackFile(stack)
  expect(statSync(join(dir, 'stack.json')).mode & 0o777).toBe(0o600)
  expect(statSync(join(dir, 'secrets.json')).mode & 0o777).toBe(0o600)
  expect(readStackFile(dir)).toEqual(stack)
  held.release()
  expect(() => readStackFile(dir)).toThrow(/No stack is running/)
})
