import { existsSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { connectServiceManager } from '#core/node/service-manager.ts'

const dir = mkdtempSync(join(tmpdir(), 'booktape-health-'))
const file = join(dir, 'health')
afterEach(() => vi.useRealTimers())
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('the file is fresh while the program is alive, old while a part hangs, gone when it stops', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  writeFileSync(file, 'left by a process that was killed\n')
  let is_alive = true
  const manager = connectServiceManager({ HEALTH_FILE: file }, silentLogger)
  expect(existsSync(file)).toBe(false)
  manager.ready(() => is_alive)
  expect(existsSync(file)).toBe(true)
  const isRenewed = (): boolean => {
    utimesSync(file, 1, 1)
    vi.advanceTimersByTime(5_000)
    return statSync(file).mtimeMs > 1_000
  }
  expect(isRenewed()).toBe(true)
  is_alive = false
  expect(isRenewed()).toBe(false)
  is_alive = true
  expect(isRenewed()).toBe(true)
  manager.stopping()
  vi.advanceTimersByTime(10_000)
  expect(existsSync(file)).toBe(false)
})

test('a file that cannot be written does not stop the program', () => {
  const path = join(dir, 'no', 'health')
  const manager = connectServiceManager({ HEALTH_FILE: path }, silentLogger)
  manager.ready()
  expect(existsSync(path)).toBe(false)
  manager.stopping()
})
