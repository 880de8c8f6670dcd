/** A day's lake in real workerd, by the largest pages: cold, with columns as large as a day's. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { startWorker, type LocalWorker } from '../../infra/local/worker.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { publishRows } from '../support/dataset-file.ts'
import type { Ask } from './contract.ts'
import { addSymbol, setLatest, startEdge } from './support.ts'

const HOUR = '2024-08-07T22:00:00Z'
const RANGE = `from=${HOUR}&to=2024-08-07T23:00:00Z&limit=10000`
/** Rows of an hour, so that columns have 72 kB, 200 kB and 344 kB. */
const ROWS = { AAAUSDT: 9_000, BTCUSDT: 25_000, 币安人生USDT: 43_000 } as const
const DAY_START_US = Date.parse('2024-08-07') * 1_000
const DAY_ROWS = 86_400
const FEATURES = Array.from({ length: 10 }, (_, i) => `feature_${i}`)

const edge = await startEdge()
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse('2024-08-09T00:30:00Z')),
  report: (error) => {
    throw error
  },
})
const inNode: Ask = async (path, init) => app.request(path, init)
const inWorker: Ask = (path, init) => fetch(`${worker.url}${path}`, init)
const dir = await mkdtemp(join(tmpdir(), 'booktape-large-'))
const hot = new Map<string, readonly object[]>()
let worker: LocalWorker
let moments: readonly unknown[]

const PATHS = Object.keys(ROWS).flatMap((symbol) => [
  `/v1/quotes/${encodeURIComponent(symbol)}?${RANGE}`,
  `/v1/trades/${encodeURIComponent(symbol)}?${RANGE}&columns=ts_exchange,price,qty`,
])
const JOINED = ['AAAUSDT'].map(
  (symbol) => `/v1/trades/${symbol}?${RANGE.replace('10000', '1000')}&with=quote`,
)
const MOMENTS = ['00:00', '04:01.000001', '09:59.041', '59:59.9'].map(
  (time) => `/v1/snapshot?ts=2024-08-07T22:${time}${time.includes('.') ? '' : ':00'}Z`,
)
const DEPTH = `/v1/depth/BTCUSDT?${RANGE}`

beforeAll(async () => {
  for (const [symbol, row_count] of Object.entries(ROWS)) await fill(symbol, row_count)
  const manifest = await publishRows(
    edge.store,
    'features_1s',
    '2024-08-07',
    ['AAAUSDT', 'BTCUSDT'],
    Array.from({ length: DAY_ROWS }, (_, i) => DAY_START_US + i * 1_000_000),
    FEATURES,
  )
  await setLatest(edge.store, manifest)
  for (const path of [...PATHS, ...JOINED, DEPTH]) hot.set(path, await all(inNode, path))
  moments = await Promise.all(MOMENTS.map((path) => bodyOf(inNode, path)))
  for (const table of ['book_ticker', 'trades', 'depth_events'] as const) {
    const hour = await archiveHour(edge.pool, edge.store, table, HOUR, { group_rows: 100_000 })
    await dropHour(edge.pool, hour)
  }
  worker = await startWorker({
    port: 0,
    bundle: await workerBundle(),
    bindings: edge.bindings,
    persist_dir: join(dir, 'state'),
  })
})
afterAll(async () => {
  await worker?.stop()
  await rm(dir, { recursive: true })
})

async function fill(symbol: string, row_count: number): Promise<void> {
  const id = await addSymbol(edge.pool, symbol)
  for (const table of ['book_ticker', 'trades', 'depth_events']) {
    await edge.pool.query('select marketdata.ensure_hour($1, $2)', [table, HOUR])
  }
  const rows = `from generate_series(1, $3::int) n,
    lateral (select $2::timestamptz + n * interval '41 milliseconds' as ts) t`
  await edge.pool.query(
    `insert into marketdata.book_ticker (symbol_id, ts_exchange, ts_ingest, update_id,
       best_bid, best_ask, bid_qty, ask_qty)
     select $1, ts, ts, n, 61800 + n % 977 * 0.01, 61810 + n % 977 * 0.01, n % 89 * 0.001, 1
     ${rows}`,
    [id, HOUR, row_count],
  )
  await edge.pool.query(
    `insert into marketdata.trades (symbol_id, ts_exchange, ts_ingest, agg_trade_id,
       price, qty, is_buyer_maker)
     select $1, ts, ts, n, 61800 + n % 977 * 0.01, n % 89 * 0.001, n % 3 = 0 ${rows}`,
    [id, HOUR, row_count],
  )
  if (symbol !== 'BTCUSDT') return
  await edge.pool.query(
    `insert into marketdata.depth_events (symbol_id, ts_exchange, ts_ingest, depth_kind,
       final_update_id, bids, asks)
     select $1, ts, ts, 'diff', n, side, side ${rows},
     lateral (select array_agg(array[61800.25 + i, 0.125]) as side
       from generate_series(1, 1000) i) s`,
    [id, HOUR, 200],
  )
}

interface Page {
  readonly next: string | null
  readonly rows: readonly Record<string, unknown>[]
}

/** Every row of a range, page after page: by the Link header, which is what `next` says. */
async function all(ask: Ask, path: string): Promise<readonly Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = []
  for (let next: string | null = path; next !== null;) {
    const response: Response = await ask(next)
    expect([next, response.status]).toEqual([next, 200])
    const page = (await response.json()) as Page
    rows.push(...page.rows)
    next = /^<([!-~]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1] ?? null
    expect(page.next).toBe(next)
  }
  return rows
}

test('a day of realistic size has the same rows cold in the worker as hot', async () => {
  for (const path of [...PATHS, ...JOINED, DEPTH]) {
    expect([path, await all(inWorker, path)]).toEqual([path, hot.get(path)])
  }
})

async function bodyOf(ask: Ask, path: string): Promise<unknown> {
  const response = await ask(path)
  return [path, response.status, await response.json()]
}

test('the quotes of all symbols at a time are the same cold in the worker as hot', async () => {
  for (const [i, path] of MOMENTS.entries()) {
    expect(await bodyOf(inWorker, path)).toEqual(moments[i])
  }
  const last = (moments.at(-1) as [string, number, { row_count: number }])[2]
  expect(last.row_count).toBe(3)
})

test('a feature dataset of a whole day is read in the worker, row for row', async () => {
  const rows = await all(inWorker, '/v1/features/BTCUSDT?limit=10000&columns=feature_0,feature_9')
  expect(rows).toHaveLength(DAY_ROWS)
  const wrong = rows.filter(
    ({ feature_0, feature_9 }, i) =>
      feature_0 !== 1_000 + i || feature_9 !== (i % 2 === 1 ? null : 1_000 + i),
  )
  expect(wrong).toEqual([])
})
