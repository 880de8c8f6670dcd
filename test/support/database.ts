/** A database per test file: a clone of the migrated template, dropped at the end. */
import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { createPool, type Pool } from '#core/node/pool.ts'
import { atFileEnd } from './file-end.ts'
import { TEMPLATE, withDatabase } from './global-setup.ts'
import { CONNECT_LIMIT_MS } from './patience.ts'

export interface TestDatabase {
  readonly url: string
  readonly pool: Pool
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const server_url = inject('postgres_url')
  const name = `test_${randomBytes(6).toString('hex')}`
  const admin = createPool(server_url, 'test', 1, CONNECT_LIMIT_MS)
  // Copying pages through the log, the default, takes six times the CPU.
  await admin.query(`create database ${name} template ${TEMPLATE} strategy file_copy`)
  const url = withDatabase(server_url, name)
  const pool = createPool(url, 'test', 4, CONNECT_LIMIT_MS)
  atFileEnd(async () => {
    await pool.end()
    await admin.query(`drop database ${name} with (force)`)
    await admin.end()
  })
  return { url, pool }
}
