import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, inject, test } from 'vitest'
import { createPool } from '#core/node/pool.ts'
import { withDatabase } from '../support/global-setup.ts'
import { CONNECT_LIMIT_MS } from '../support/patience.ts'
import { programEnv } from '../support/program-env.ts'

const CLI = join(import.meta.dirname, '../../infra/cli/booktape.mjs')
const run = (env: Record<string, string>) =>
  promisify(execFile)(process.execPath, [CLI, 'migrate'], {
    env: programEnv(env),
  })

test('an empty database gets the schema, once', async () => {
  const server_url = inject('postgres_url')
  const admin = createPool(server_url, 'test', 1, CONNECT_LIMIT_MS)
  await admin.query('create database migrate_test')
  const DATABASE_URL = withDatabase(server_url, 'migrate_test')
  try {
    expect((await run({ DATABASE_URL })).stdout).toMatch(/^Applied 0001_market_data\.sql/)
    expect((await run({ DATABASE_URL })).stdout).toBe('Nothing to do: the schema is up to date.\n')
  } finally {
    await admin.query('drop database migrate_test with (force)')
    await admin.end()
  }
})

test('an edited applied migration is an error, and nothing changes', async () => {
  const server_url = inject('postgres_url')
  const admin = createPool(server_url, 'test', 1, CONNECT_LIMIT_MS)
  await admin.query('create database migrate_edited')
  const DATABASE_URL = withDatabase(server_url, 'migrate_edited')
  const pool = createPool(DATABASE_URL, 'test', 1, CONNECT_LIMIT_MS)
  try {
    await run({ DATABASE_URL })
    await pool.query(`update marketdata.schema_migrations set sha256 = 'x' where name like '0001%'`)
    await expect(run({ DATABASE_URL })).rejects.toThrow(
      '0001_market_data.sql has changed since it was applied',
    )
  } finally {
    await pool.end()
    await admin.query('drop database migrate_edited with (force)')
    await admin.end()
  }
})

test('a missing DATABASE_URL has a clear message', async () => {
  await expect(run({})).rejects.toThrow('DATABASE_URL is not set')
})
