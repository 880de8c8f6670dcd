/** The gateway's connections: kept for the next statement, closed when nobody needs them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseConfig } from '../../edge-api/gateway/config.ts'
import type { Answer } from '../../edge-api/gateway/connection.ts'
import { Connections } from '../../edge-api/gateway/connections.ts'
import { runOwnQuery, runQuery } from '../../edge-api/gateway/run-query.ts'
import { startCuttingRelay } from '../support/cutting-relay.ts'
import { createReaderDatabase, SECRET } from './support.ts'

const MAX = 3
const { pool, reader_url } = await createReaderDatabase()
const { limits } = parseConfig({ DATABASE_URL: reader_url, GATEWAY_SECRET: SECRET })
let connections: Connections

beforeEach(() => {
  connections = new Connections(reader_url, MAX)
})
afterEach(() => connections.end())

async function ask(query: string): Promise<string | null> {
  const { rows } = await runOwnQuery(connections, { query, params: [] }, limits)
  return rows[0]![0]!
}

const processId = (): Promise<string | null> => ask('select pg_backend_pid()')
const UNUSED = { busy: 0, idle: 0, waiting: 0 }

test('statements share one connection, also after one that Postgres refused', async () => {
  const first = await processId()
  expect(await processId()).toBe(first)
  await expect(
    runQuery(connections, { query: 'select 1 / 0', params: [] }, limits),
  ).rejects.toThrow('division by zero')
  await expect.poll(() => connections.counts).toEqual({ ...UNUSED, idle: 1 })
  expect(await processId()).toBe(first)
})

test('more statements than connections: all are answered, over as many as may be open', async () => {
  const ids = await Promise.all(
    Array.from({ length: 40 }, () => ask('select pg_backend_pid() from pg_sleep(0.01)')),
  )
  expect(new Set(ids).size).toBe(MAX)
  expect(connections.counts).toEqual({ ...UNUSED, idle: MAX })
})

test('a kept connection that Postgres ends is replaced', async () => {
  const ended = await processId()
  await pool.query('select pg_terminate_backend($1::int)', [ended])
  await expect.poll(() => connections.counts).toEqual(UNUSED)
  expect(await processId()).not.toBe(ended)
})

test('a statement on kept connections that are lost is sent again, on another one', async () => {
  const relay = await startCuttingRelay(reader_url)
  const cut = new Connections(relay.url, MAX)
  const asked = { query: 'select pg_backend_pid() from pg_sleep(0.01)', params: [] }
  const askAll = (): Promise<Answer[]> =>
    Promise.all(Array.from({ length: MAX }, () => runOwnQuery(cut, asked, limits)))
  const refused = runOwnQuery(cut, { query: 'select 1 / 0', params: [] }, limits)
  await expect(refused).rejects.toThrow('division by zero')
  await expect.poll(() => cut.counts.idle).toBe(1)
  for (const [ask_again, lost_count] of [
    [() => runOwnQuery(cut, asked, limits), 1],
    [() => runOwnQuery(cut, asked, limits), 2],
    [askAll, 3],
  ] as const) {
    relay.loseKept()
    await ask_again()
    expect(relay.lost_count).toBe(lost_count)
    await askAll()
  }
  await cut.end()
})

test('one that Postgres ends for being idle, as a statement comes, is replaced', async () => {
  const login = new URL(reader_url).username
  await pool.query(`alter role ${login} set idle_session_timeout = '50ms'`)
  try {
    for (let i = 0; i < 10; i++) {
      const first = await processId()
      // This process is busy while it happens.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150)
      expect(await processId()).not.toBe(first)
    }
  } finally {
    await pool.query(`alter role ${login} reset idle_session_timeout`)
  }
})

test('a statement that an operator ends is not sent again', async () => {
  const first = await processId()
  const asked = ask('select pg_sleep(600)').catch(String)
  const end = async (): Promise<number | null> => {
    const { rowCount } = await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where pid = $1 and state = 'active' and query_start < now() - interval '1.2 s'`,
      [first],
    )
    return rowCount
  }
  await expect.poll(end).toBe(1)
  expect(await asked).toContain('terminating connection')
  expect(connections.counts).toEqual(UNUSED)
})

test('a silent Postgres: a statement has its whole time, and no other connection is trusted', async () => {
  const brief = { ...limits, statement_timeout_ms: 100 }
  const asked = { query: 'select pg_backend_pid()::int from pg_sleep(0.05)', params: [] }
  const answers = await Promise.all(
    Array.from({ length: MAX }, () => runOwnQuery(connections, asked, brief)),
  )
  // The timer of these statements fires first.
  await sleep(500)
  const backends = answers.map(({ rows }) => Number(rows[0]![0]))
  for (const backend of backends) process.kill(backend, 'SIGSTOP')
  try {
    const began_ms = performance.now()
    await expect(runOwnQuery(connections, asked, brief)).rejects.toThrow('cannot be reached')
    expect(performance.now() - began_ms).toBeGreaterThan(1_090)
    expect(connections.counts).toEqual(UNUSED)
    expect(backends).not.toContain(Number(await processId()))
  } finally {
    for (const backend of backends) process.kill(backend, 'SIGCONT')
  }
})

test('those that nobody needs any more are closed, one in use stays', async () => {
  const brief = new Connections(reader_url, MAX, 50)
  const taken = await Promise.all([brief.take(), brief.take(), brief.take()])
  for (const connection of taken) brief.giveBack(connection)
  const used = taken[2]!
  await expect
    .poll(async () => {
      // The one that was used last is the first to be taken.
      const again = await brief.take()
      expect(again).toBe(used)
      brief.giveBack(again)
      return brief.counts
    })
    .toEqual({ ...UNUSED, idle: 1 })
  await expect.poll(() => brief.counts).toEqual(UNUSED)
  await brief.end()
})

test('the end waits for a statement that runs', async () => {
  const last = ask("select 'answered' from pg_sleep(0.2)")
  await expect.poll(() => connections.counts.busy).toBe(1)
  const ended = connections.end()
  expect(await last).toBe('answered')
  await ended
  expect(connections.counts).toEqual(UNUSED)
  connections = new Connections(reader_url, MAX)
})
