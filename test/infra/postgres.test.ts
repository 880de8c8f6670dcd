/** The embedded Postgres, killed at a critical time. */
import { spawn } from 'node:child_process'
import { chmodSync, globSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createPool } from '#core/node/pool.ts'
import { freePort } from '../../infra/local/ports.ts'
import { startPostgres } from '../../infra/local/postgres.ts'
import { CONNECT_LIMIT_MS } from '../support/patience.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'booktape-postgres-'))
  chmodSync(dir, 0o755)
})
afterEach(() => rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }))

test('after a kill during initdb, the next start makes a complete cluster', async () => {
  const options = { dir: join(dir, 'postgres'), port: await freePort(), password: 'secret' }
  const program = `
    import { startPostgres } from '../../infra/local/postgres.ts'
    await startPostgres(${JSON.stringify(options)})
  `
  const args = ['--input-type=module-typescript', '-e', program]
  const killed = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: 'ignore' })
  const ended = new Promise((resolve) => killed.once('exit', resolve))
  // initdb first writes the file that identifies a cluster.
  while (globSync('*/PG_VERSION', { cwd: dir }).length === 0) await sleep(5)
  killed.kill('SIGKILL')
  await ended

  const postgres = await startPostgres(options)
  const pool = createPool(postgres.url, 'test', 1, CONNECT_LIMIT_MS)
  try {
    const { rows } = await pool.query('select 1 as one')
    expect(rows).toEqual([{ one: 1 }])
    expect(readdirSync(dir).filter((name) => name.endsWith('.password'))).toEqual([])
  } finally {
    await pool.end()
    await postgres.stop()
  }
})
