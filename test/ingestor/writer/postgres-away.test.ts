/** A private Postgres that is stopped, killed and frozen under a running follower. */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { migrate } from '#core/node/migrate.ts'
import { createPool } from '#core/node/pool.ts'
import { micros } from '#core/time.ts'
import { freePort } from '../../../infra/local/ports.ts'
import {
  type Postgres,
  type PostgresOptions,
  startPostgres,
} from '../../../infra/local/postgres.ts'
import { type Follower, startFollower } from '../../../ingestor/writer/follower.ts'
import { sumOf } from '../../../ingestor/writer/counts.ts'
import { createSharedTapeEnd, sharedTapeEnd } from '../../../ingestor/writer/tape-end.ts'
import type { Tape } from '../../../ingestor/tape/tape.ts'
import { until } from '../support.ts'
import { appendAll, CHOICE, market, openTestTape, temporaryDirectory } from './support.ts'
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
const PART = 300

let settings: PostgresOptions
let postgres: Postgres
let tape: Tape
let follower: Follower
let appended = 0
const entries = market(SYMBOLS, 100 * PART)

/** Feeds the tape in small steps, as sockets would. */
async function record(parts: number): Promise<void> {
  for (let part = 0; part < parts; part++) {
    appendAll(tape, entries.slice(appended, appended + PART))
    appended += PART
    await sleep(20)
  }
}

/** The rows are exactly the appended ones, each once. */
async function expectAllRows(): Promise<void> {
  await follower.committed(tape.end)
  const pool = createPool(postgres.url, 'test', 1, CONNECT_LIMIT_MS)
  const { rows } = await pool.query<{ count: string; quotes: string; trades: string }>(`select
    (select count(*) from marketdata.book_ticker) + (select count(*) from marketdata.trades) as count,
    (select count(distinct update_id) from marketdata.book_ticker) as quotes,
    (select count(distinct (symbol_id, agg_trade_id)) from marketdata.trades) as trades`)
  await pool.end()
  expect(Number(rows[0]!.count)).toBe(appended)
  expect(Number(rows[0]!.quotes) + Number(rows[0]!.trades)).toBe(appended)
}

beforeAll(async () => {
  const dir = temporaryDirectory()
  chmodSync(dir, 0o755)
  settings = { dir: join(dir, 'postgres'), port: await freePort(), password: 'test' }
  postgres = await startPostgres(settings)
  const pool = createPool(postgres.url, 'test', 1, CONNECT_LIMIT_MS)
  await migrate(pool)
  await pool.end()

  const end = createSharedTapeEnd()
  tape = openTestTape(join(dir, 'tape'), end.publish)
  end.publish(tape.end)
  follower = startFollower({
    database_url: postgres.url,
    ingestor_id: 'test',
    tape_dir: join(dir, 'tape'),
    end: sharedTapeEnd(end.memory),
    choice: CHOICE,
    limits: { rows_max: 1_000, bytes_max: 256 * 1024, age_ms_max: 20 },
    dead_letter_path: join(dir, 'dead.ndjson'),
    live: true,
    clock: () => micros(Date.now() * 1_000),
    random: Math.random,
    log: silentLogger,
  })
})

afterAll(async () => {
  await follower.stop()
  await tape.close()
  await postgres.stop()
})

test('rows are committed as they arrive, and the next hour has its partition', async () => {
  await record(5)
  await expectAllRows()
  expect(follower.status().database_away).toBe(false)
  const pool = createPool(postgres.url, 'test', 1, CONNECT_LIMIT_MS)
  const next = new Date(Date.now() + 3_600_000).toISOString().slice(0, 13).replaceAll(/[-T]/g, '')
  await until('the next partition is there', async () => {
    const { rows } = await pool.query('select to_regclass($1) as found', [
      `marketdata.trades_${next}`,
    ])
    return rows[0].found !== null
  })
  await pool.end()
})

test('Postgres stopped: the tape continues, the status shows it, and nothing is lost afterwards', async () => {
  await postgres.stop()
  await record(10)
  await until('the status says away', () => follower.status().database_away)
  postgres = await startPostgres(settings)
  await record(3)
  await expectAllRows()
  expect(follower.status().database_away).toBe(false)
})

test('Postgres killed with -9 under load: commits that it forgot are written again', async () => {
  for (let round = 0; round < 3; round++) {
    const flow = record(12)
    await sleep(60 + round * 50)
    process.kill(postgres.pid, 'SIGKILL')
    await postgres.exited
    postgres = await startPostgres(settings)
    await flow
    await expectAllRows()
  }
  expect(follower.status().database_away).toBe(false)
})

test('a server that freezes in the middle of its work continues where it was', async () => {
  const pool = createPool(postgres.url, 'test', 1, CONNECT_LIMIT_MS)
  const { rows } = await pool.query<{ pid: number }>(
    "select pid from pg_stat_activity where application_name like 'booktape-ingestor%'",
  )
  await pool.end()
  process.kill(rows[0]!.pid, 'SIGSTOP')
  await record(20)
  const { committed_position } = follower.status()
  expect(committed_position).toBeLessThan(tape.end)
  process.kill(rows[0]!.pid, 'SIGCONT')
  await expectAllRows()
})

test('connections cut by the server again and again', async () => {
  const flow = record(15)
  const pool = createPool(postgres.url, 'test', 1, CONNECT_LIMIT_MS)
  for (let round = 0; round < 8; round++) {
    await pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'booktape-ingestor%'",
    )
    await sleep(40)
  }
  await pool.end()
  await flow
  await expectAllRows()
  const { counts } = follower.status()
  // Postgres may have forgotten commits that were counted, but never the reverse.
  expect(sumOf(counts.rows)).toBeGreaterThanOrEqual(appended)
})
