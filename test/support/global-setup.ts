/**
 * One Postgres for the whole test run, with a migrated template database; every test file
 * clones it (test/support/database.ts). Durability is off: the machine may lose test data.
 *
 * Time zone, formats and limits are not those that the programs need, as on a managed
 * server whose settings belong to somebody else.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { migrate } from '#core/node/migrate.ts'
import { createPool } from '#core/node/pool.ts'
import { freePort } from '../../infra/local/ports.ts'
import { startPostgres } from '../../infra/local/postgres.ts'

export const TEMPLATE = 'booktape_template'

/** Half an hour off, days before months, and no statement, lock or idle session for long. */
const FOREIGN_SETTINGS: Readonly<Record<string, string>> = {
  timezone: 'Asia/Kolkata',
  datestyle: 'SQL, DMY',
  intervalstyle: 'sql_standard',
  extra_float_digits: '-3',
  bytea_output: 'escape',
  statement_timeout: '5s',
  lock_timeout: '5s',
  idle_in_transaction_session_timeout: '5s',
  idle_session_timeout: '5s',
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres_url: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-test-'))
  chmodSync(dir, 0o755)
  const postgres = await startPostgres({
    dir: join(dir, 'postgres'),
    port: await freePort(),
    bin_dir: process.env['TEST_POSTGRES_BIN'],
    password: 'test',
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      max_connections: '200',
      ...FOREIGN_SETTINGS,
    },
  })
  const admin = createPool(postgres.url, 'test-setup', 1)
  await admin.query(`create database ${TEMPLATE}`)
  await admin.end()
  const template = createPool(withDatabase(postgres.url, TEMPLATE), 'test-setup', 1)
  await migrate(template)
  await template.end()
  project.provide('postgres_url', postgres.url)
  return async () => {
    await postgres.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

export function withDatabase(url: string, database: string): string {
  const parsed = new URL(url)
  parsed.pathname = `/${database}`
  return parsed.href
}
