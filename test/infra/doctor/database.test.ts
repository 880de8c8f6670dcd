/** Logins, settings and schemas of a real Postgres, each with one thing wrong. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { databaseCheck } from '../../../infra/doctor/database.ts'
import type { Finding } from '../../../infra/doctor/finding.ts'
import { runChecks } from '../../../infra/doctor/finding.ts'
import type { Login } from '../../../infra/doctor/login.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { has_pgbouncer, startPgbouncer } from '../../support/pgbouncer.ts'
import { checksOf, findingOf } from './support.ts'

const LIMIT_MS = 600_000
/** The server of the tests may lose data. */
const TEST_SERVER = ['fsync is off.', 'full_page_writes is off.']

function look(
  database_url: string,
  login: Login = 'writer',
  connection_count = 5,
): Promise<readonly Finding[]> {
  const check = databaseCheck({ database_url, login, programs: 'jobs', connection_count })
  return runChecks([[check]], LIMIT_MS)
}

/** Without what the server of the tests has wrong. */
const others = (findings: readonly Finding[]): readonly Finding[] =>
  findings.filter(({ found }) => !TEST_SERVER.includes(found))

/** A login that owns nothing; `sql` is about it, as ROLE. */
async function createLogin({ pool, url }: TestDatabase, sql: string): Promise<string> {
  const role = `role_${randomBytes(6).toString('hex')}`
  await pool.query(`create role ${role} login password 'a-long-password'`)
  atFileEnd(async () => {
    await pool.query(`drop owned by ${role}`)
    await pool.query(`drop role ${role}`)
  })
  await pool.query(sql.replaceAll('ROLE', role))
  const own = new URL(url)
  own.username = role
  own.password = 'a-long-password'
  return own.href
}

test('the owner of a database of this build has nothing wrong but the settings of the server', async () => {
  const { url } = await createTestDatabase()
  const findings = await look(url)
  expect(findings.filter(({ level }) => level !== 'ok').map(({ found }) => found)).toEqual(
    TEST_SERVER,
  )
  expect(checksOf(findings, 'ok')).toEqual([
    'database.writer.session',
    'database.writer.version',
    'database.writer.tls',
    'clock.database',
    'database.writer.migrations',
    'database.writer.connections',
    'database.writer.rights',
  ])
})

test('migrations: not applied, changed since, and of a newer build', async () => {
  const { pool, url } = await createTestDatabase()
  await pool.query(`delete from marketdata.schema_migrations where name like '0014%';
    update marketdata.schema_migrations set sha256 = 'other' where name like '0002%';
    insert into marketdata.schema_migrations (name, sha256) values ('9999_later.sql', 'x')`)
  const wrong = others(await look(url)).filter(({ level }) => level !== 'ok')
  expect(wrong.map(({ level, found }) => `${level}: ${found}`)).toEqual([
    expect.stringMatching(/^error: 1 were not applied: 0014_\w+\.sql\.$/),
    expect.stringMatching(/^error: Applied with other contents: 0002_\w+\.sql\.$/),
    'warning: 1 are of a newer build: 9999_later.sql.',
  ])
  expect(wrong[0]!.todo).toBe('Run `npx booktape migrate`.')
})

test('a database without a schema has every migration to be applied', async () => {
  const { pool, url } = await createTestDatabase()
  await pool.query('drop schema marketdata cascade')
  const findings = others(await look(url))
  expect(checksOf(findings, 'error')).toEqual(['database.writer.migrations'])
})

test('a login that owns nothing can make no partition, and is told whose member it has to be', async () => {
  const database = await createTestDatabase()
  const url = await createLogin(
    database,
    `grant usage on schema marketdata to ROLE;
    grant select, insert on all tables in schema marketdata to ROLE`,
  )
  const rights = others(await look(url)).filter(({ check }) => check === 'database.writer.rights')
  expect(rights.map(({ level }) => level)).toEqual(['error', 'error', 'error'])
  expect(rights.map(({ found }) => found).join('\n')).toMatch(
    /role_\w+ does not own \w+ and \d+ more: it can make no partition\.\n.*may make no table in marketdata\.\n.*queue of jobs/,
  )
  expect(rights[0]!.todo).toMatch(/^grant postgres to role_\w+;$/)
})

test('settings of a login: read only, too few connections; limits on time are overridden', async () => {
  const database = await createTestDatabase()
  const url = await createLogin(
    database,
    `alter role ROLE set default_transaction_read_only = on;
    alter role ROLE set statement_timeout = '5s'; alter role ROLE connection limit 3;
    grant postgres to ROLE`,
  )
  const findings = others(await look(url))
  const settings = findings.filter(({ check }) => check === 'database.writer.settings')
  expect(settings.map(({ level, found }) => `${level} ${found}`).toSorted()).toEqual([
    'error default_transaction_read_only is on.',
  ])
  expect(findingOf(findings, 'database.writer.connections')).toMatchObject({
    level: 'error',
    found: expect.stringMatching(/^3 connections are available .* Needed for jobs: up to 5\.$/),
  })
})

test("the gateway's login may read what the edge serves, and nothing else", async () => {
  const database = await createTestDatabase()
  const url = await createLogin(database, 'grant booktape_reader to ROLE')
  expect(checksOf(await look(url, 'reader'), 'ok')).toContain('database.reader.rights')
  const outsider = await createLogin(database, 'select 1')
  expect(findingOf(await look(outsider, 'reader'), 'database.reader.rights')).toMatchObject({
    level: 'error',
    todo: expect.stringMatching(/^grant booktape_reader to role_\w+;$/),
  })
  const writer = await createLogin(
    database,
    `grant booktape_reader to ROLE;
    grant insert on marketdata.trades to ROLE`,
  )
  expect(findingOf(await look(writer, 'reader'), 'database.reader.rights')).toMatchObject({
    level: 'warning',
    found: expect.stringMatching(/may write trades\.$/),
  })
  const owner = await look(database.url, 'reader')
  expect(findingOf(owner, 'database.reader.rights').found).toBe('postgres is a superuser.')
})

test('no Postgres, and another password', async () => {
  const { url } = await createTestDatabase()
  const wrong = new URL(url)
  wrong.password = 'not-the-password'
  const refused = findingOf(await look(wrong.href), 'database.writer.connect')
  expect(refused.found).toContain('password authentication failed')
  const nowhere = new URL(url)
  nowhere.port = '1'
  const findings = await look(nowhere.href)
  expect(checksOf(findings, 'error')).toEqual(['database.writer.connect'])
  expect(findingOf(findings, 'database.writer.connect').found).toContain('ECONNREFUSED')
})

describe.skipIf(!has_pgbouncer)('pgbouncer (skipped where it is not installed)', () => {
  test('in transaction mode it is an error for programs that hold locks, and none for the gateway', async () => {
    const { url } = await createTestDatabase()
    const through = await startPgbouncer(url, 'transaction')
    const finding = findingOf(await look(through), 'database.writer.session')
    expect(finding).toMatchObject({ level: 'error', todo: expect.stringContaining('direct port') })
    expect(checksOf(await look(through, 'reader'), 'error')).toEqual([])
  })
})
