/**
 * Requests without a time: the newest quote, book and candles, and the age of the newest quote of
 * all symbols. Their answers are the same before, during and after archive and retention.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { dropPartition } from '../../jobs/retention/drop.ts'
import { selectPartitions } from '../../jobs/retention/partitions.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { fillHour } from '../support/market-hours.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { addSymbol, startEdge } from './support.ts'

const edge = await startEdge()
const { pool, store } = edge
const now_ms = Date.parse('2024-08-09T01:10:00Z')
const reported: unknown[] = []
const app = composeApp(edge.bindings, {
  now: () => fromMillis(now_ms),
  report: (error) => reported.push(error),
})
const ask: Ask = async (path, init) => app.request(path, init)
const common = { pool, log: silentLogger, now: () => now_ms }
const work_dir = await mkdtemp(join(tmpdir(), 'booktape-newest-'))
afterAll(() => rm(work_dir, { recursive: true }))
let contract: Contract

/** Three hours. The last recorded row is in the hour before the current one. */
const HOURS = ['2024-08-08T22:00:00Z', '2024-08-08T23:00:00Z', '2024-08-09T00:00:00Z'] as const

const QUESTIONS = [
  '/v1/quotes/BTCUSDT/latest',
  '/v1/quotes/BTCUSDT/latest?max_age_s=3600',
  '/v1/quotes/BTCUSDT/latest?max_age_s=60',
  // Silent since the first hour.
  '/v1/quotes/SILENTUSDT/latest',
  '/v1/quotes/SILENTUSDT/latest?max_age_s=86400',
  '/v1/quotes/SILENTUSDT/latest?max_age_s=3600',
  '/v1/quotes/NEVERUSDT/latest',
  '/v1/book/BOOKUSDT',
  '/data/BOOKUSDT',
  // Its book is not recorded, so its quote serves as the book.
  '/data/SILENTUSDT',
  '/v1/candles/BTCUSDT',
  '/v1/candles/BTCUSDT?interval=1h',
  '/health',
]

interface Answer {
  readonly path: string
  readonly status: number
  readonly body: unknown
}

async function answers(): Promise<readonly Answer[]> {
  const found: Answer[] = []
  for (const path of QUESTIONS) {
    const response = await ask(path)
    found.push({ path, status: response.status, body: await contract.check(path, response) })
  }
  return found
}

beforeAll(async () => {
  contract = await readContract(ask)
  const btc = await addSymbol(pool, 'BTCUSDT')
  for (const hour of HOURS) await fillHour(pool, btc, hour, 40)
  await fillHour(pool, await addSymbol(pool, 'SILENTUSDT'), HOURS[0], 40)
  await pool.query('delete from marketdata.depth_events')
  await addSymbol(pool, 'NEVERUSDT')
  await pool.query(
    `insert into marketdata.depth_events
       (symbol_id, ts_exchange, ts_ingest, depth_kind, first_update_id, final_update_id, bids, asks)
     select $1, ts, ts, case n when 0 then 'snapshot' else 'diff' end, nullif(n, 0), n,
       array[array[100 - n % 5, 1 + n]]::float8[], array[array[101, 1]]::float8[]
     from generate_series(0, 900) n,
       lateral (select $2::timestamptz + make_interval(mins => 40, secs => n) as ts) t`,
    [await addSymbol(pool, 'BOOKUSDT'), HOURS[2]],
  )
  const { signal } = new AbortController()
  for (let run = 0; run < 3; run++) await runRollups({ ...common, signal })
})

test('the newest quote, book and candles are the same before, during and after retention', async () => {
  const before = await answers()
  expect(before.map(({ status }) => status)).toEqual([
    200, 200, 404, 200, 200, 404, 404, 200, 200, 200, 200, 200, 200,
  ])
  const newest = { best_bid: null, ts_exchange: '2024-08-09T00:55:25.000001Z' }
  expect(before[0]!.body).toMatchObject(newest)
  expect(before[1]!.body).toMatchObject({ ...newest, max_age_s: 3_600 })
  expect(before[10]!.body).toMatchObject({ row_count: 29 })
  await runArchive({ ...common, store, codec: 'zstd', work_dir, delay_us: 0 })
  expect(await answers()).toEqual(before)
  const state = { is_done: false }
  const dropping = dropAll().finally(() => (state.is_done = true))
  while (!state.is_done) expect(await answers()).toEqual(before)
  expect(await dropping).toEqual([])
  for (const table of ['book_ticker', 'trades', 'depth_events']) {
    expect((await pool.query(`select from marketdata.${table}`)).rowCount, table).toBe(0)
  }
  expect(await answers()).toEqual(before)
})

async function dropAll(): Promise<readonly string[]> {
  const kept: string[] = []
  for (const partition of await selectPartitions(pool)) {
    const outcome = await dropPartition(pool, partition)
    if (outcome.kind === 'kept') kept.push(`${partition.partition}: ${outcome.why}`)
  }
  return kept
}

test('a late quote is the newest if no file has a newer one', async () => {
  const latest = async (): Promise<unknown> => {
    const path = '/v1/quotes/SILENTUSDT/latest'
    return contract.check(path, await ask(path))
  }
  const insert = async (ts: string): Promise<void> => {
    await pool.query("select marketdata.ensure_hour('book_ticker', $1)", [ts])
    await pool.query(
      `insert into marketdata.book_ticker
         (symbol_id, ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty)
       select id, $1, $1, 1, 5, 6, 7, 8 from marketdata.symbols where symbol = 'SILENTUSDT'`,
      [ts],
    )
  }
  const before = await latest()
  await insert('2024-08-08T22:30:00Z')
  expect(await latest()).toEqual(before)
  await insert('2024-08-08T22:59:59.999999Z')
  expect(await latest()).toMatchObject({ ts_exchange: '2024-08-08T22:59:59.999999Z', update_id: 1 })
})

test('nothing above was a fault of ours', () => expect(reported).toEqual([]))

test('without Postgres the newest quote is unknown: 503 with Retry-After', async () => {
  await edge.stopGateway()
  for (const path of ['/v1/quotes/BTCUSDT/latest', '/v1/book/BOOKUSDT', '/v1/candles/BTCUSDT']) {
    const response = await ask(path)
    expect([path, response.status, response.headers.get('retry-after')]).toEqual([path, 503, '5'])
    await contract.check(path, response)
  }
})
