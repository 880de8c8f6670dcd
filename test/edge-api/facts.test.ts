/**
 * Imported facts over the API: pages, intervals, formats, plans on a real amount, and no database.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Manifest } from '#core/dataset.ts'
import { silentLogger } from '#core/node/log.ts'
import { datasetFileKey } from '#core/object-keys.ts'
import { fromMillis, micros, parseDay, toIso } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { selectRange } from '../../edge-api/queries/range.ts'
import { FACT_RANGES } from '../../edge-api/tables/tables.ts'
import { runFacts } from '../../jobs/datasets/run-facts.ts'
import { noteFactFile } from '../support/facts.ts'
import { atFileEnd } from '../support/file-end.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { addSymbol, startEdge } from './support.ts'

const edge = await startEdge()
const NOW = '2024-04-01T12:00:00Z'
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse(NOW)),
  report: (error) => {
    throw error
  },
})
const ask: Ask = async (path, init) => app.request(path, init)
let contract: Contract
let btc: number

type Row = Readonly<Record<string, unknown>>
interface Page {
  readonly next: string | null
  readonly row_count: number
  readonly rows: readonly Row[]
  readonly interval?: string
}

async function page(path: string): Promise<Page> {
  const response = await ask(path)
  expect([path, response.status]).toEqual([path, 200])
  return contract.check<Page & { [key: string]: unknown }>(path, response)
}

async function everything(path: string): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (let next: string | null = path; next !== null;) {
    const one: Page = await page(next)
    rows.push(...one.rows)
    next = one.next
  }
  return rows
}

const DAYS = 365
const SYMBOLS = 2

beforeAll(async () => {
  contract = await readContract(ask)
  btc = await addSymbol(edge.pool, 'BTCUSDT')
  await addSymbol(edge.pool, 'ETHUSDT')
  await edge.pool.query(
    `insert into marketdata.klines (symbol_id, interval_s, ts_exchange, open, high, low, close,
       volume, notional, trade_count, buy_volume, buy_notional)
     select s, i, t, 100.5, 102, 99.25, extract(minute from t), 7.125, 700.5, 12, 3, 300
     from generate_series($1::bigint, $1 + ${SYMBOLS - 1}) s, unnest(array[60, 3600]) i,
       generate_series('2024-03-25'::timestamptz, '2024-03-31T23:59:00Z', make_interval(secs => i)) t`,
    [btc],
  )
  await edge.pool.query(
    `insert into marketdata.open_interest (symbol_id, ts_exchange, open_interest,
       open_interest_value, top_account_ratio, top_position_ratio, account_ratio, taker_volume_ratio)
     select s, t, 80000.123, 8000000000.25, null, 1.1, 0.9, 1.01
     from generate_series($1::bigint, $1 + ${SYMBOLS - 1}) s,
       generate_series('2023-04-01'::timestamptz, '2024-03-31T23:55:00Z', interval '5 minutes') t`,
    [btc],
  )
  await edge.pool.query(
    `insert into marketdata.funding_rates (symbol_id, ts_exchange, funding_rate, interval_h)
     select $1, t, 0.0001, 8
     from generate_series('2023-04-01'::timestamptz, '2024-03-31T16:00:00Z', interval '8 hours') t`,
    [btc],
  )
  await edge.pool.query(
    `insert into marketdata.book_depth (symbol_id, ts_exchange, distance_percent, qty, notional)
     select s, t, p, 100.5 + p, 6000000.25
     from generate_series($1::bigint, $1 + ${SYMBOLS - 1}) s,
       generate_series('2024-03-28'::timestamptz, '2024-03-31T23:59:30Z', interval '30 seconds') t,
       unnest(array[-5, -1, -0.2, 0.2, 1, 5]) p`,
    [btc],
  )
  await edge.pool.query('analyze')
}, 120_000)

test('klines: the interval chooses, and pages hold every candle once', async () => {
  const minutes = await everything('/v1/klines/BTCUSDT?from=2024-03-30&to=2024-04-01&limit=700')
  expect(minutes).toHaveLength(2 * 1_440)
  expect(new Set(minutes.map((row) => row['ts_exchange'])).size).toBe(2 * 1_440)
  expect(minutes[59]).toEqual({
    ts_exchange: '2024-03-30T00:59:00.000000Z',
    open: '100.50',
    high: '102.00',
    low: '99.25',
    close: '59.00',
    volume: 7.125,
    notional: 700.5,
    trade_count: 12,
    buy_volume: 3,
    buy_notional: 300,
  })
  const hours = await page('/v1/klines/BTCUSDT?interval=1h&from=2024-03-30&to=2024-03-31&limit=5')
  expect(hours).toMatchObject({ interval: '1h', row_count: 5 })
  expect(hours.next).toContain('interval=1h')
  expect((await page(hours.next!)).rows[0]!['ts_exchange']).toBe('2024-03-30T05:00:00.000000Z')
  // 100 intervals before now: the last candles begin at 23:59 of the day before.
  expect((await page('/v1/klines/BTCUSDT')).row_count).toBe(0)
  expect((await page('/v1/klines/BTCUSDT?interval=1h')).row_count).toBe(88)
  expect((await page('/v1/klines/BTCUSDT?interval=5m&from=2024-03-30')).rows).toEqual([])
  for (const wrong of ['interval=2m', 'interval=60', 'columns=interval_s', 'with=quote']) {
    const path = `/v1/klines/BTCUSDT?${wrong}`
    const response = await ask(path)
    expect([wrong, response.status]).toEqual([wrong, 400])
    await contract.check(path, response)
  }
  expect((await ask('/v1/klines/NONEUSDT')).status).toBe(404)
})

test('open interest, funding and book depth, each in every format', async () => {
  const span = 'from=2024-03-31T16:00:00Z&to=2024-03-31T16:10:00Z'
  expect((await page(`/v1/open-interest/BTCUSDT?${span}`)).rows).toEqual(
    ['16:00', '16:05'].map((time) => ({
      ts_exchange: `2024-03-31T${time}:00.000000Z`,
      open_interest: '80000.123',
      open_interest_value: 8000000000.25,
      top_account_ratio: null,
      top_position_ratio: 1.1,
      account_ratio: 0.9,
      taker_volume_ratio: 1.01,
    })),
  )
  expect((await page('/v1/funding-rates/BTCUSDT')).row_count).toBe(88)
  expect(await everything('/v1/funding-rates/BTCUSDT?from=2023-04-01&limit=500')).toHaveLength(
    (DAYS + 1) * 3,
  )
  const depth = await everything(`/v1/book-depth/BTCUSDT?${span}&limit=7`)
  expect(depth.map((row) => row['distance_percent'])).toEqual(
    Array.from({ length: 20 }, () => [-5, -1, -0.2, 0.2, 1, 5]).flat(),
  )
  expect(depth[2]).toEqual({
    ts_exchange: '2024-03-31T16:00:00.000000Z',
    distance_percent: -0.2,
    qty: '100.300',
    notional: 6000000.25,
  })
  for (const { name } of FACT_RANGES) {
    const texts = await Promise.all(
      ['csv', 'ndjson', 'arrow'].map(async (format) => {
        const response = await ask(`/v1/${name}/BTCUSDT?${span}&format=${format}`)
        expect([name, format, response.status]).toEqual([name, format, 200])
        return (await response.arrayBuffer()).byteLength
      }),
    )
    expect(Math.min(...texts), name).toBeGreaterThan(50)
  }
  const csv = await (await ask(`/v1/open-interest/BTCUSDT?${span}&format=csv`)).text()
  expect(csv.split('\r\n')[1]).toBe(
    '2024-03-31T16:00:00.000000Z,80000.123,8000000000.25,,1.1,0.9,1.01',
  )
  // Only imports change them, so an answer may be kept for a minute.
  const kept = await ask(`/v1/open-interest/BTCUSDT?${span}`)
  expect(kept.headers.get('cache-control')).toContain('max-age=60')
  const again = await ask(`/v1/open-interest/BTCUSDT?${span}`)
  expect(again.headers.get('etag')).toBe(kept.headers.get('etag'))
})

test('the dataset of an imported day has signed files, and names what it is from', async () => {
  const DATE = parseDay('2024-03-30')!
  await noteFactFile(edge.pool, btc, 'open_interest', DATE)
  const work_dir = await mkdtemp(join(tmpdir(), 'booktape-facts-'))
  atFileEnd(() => rm(work_dir, { recursive: true }))
  const { pool, store } = edge
  const job = { pool, store, work_dir, date: DATE, which: 'changed', now: Date.now } as const
  await runFacts({ ...job, log: silentLogger })
  const path = '/v1/datasets/open_interest/2024-03-30'
  const manifest = await contract.check<Manifest & { [key: string]: unknown }>(
    path,
    await ask(path),
  )
  expect(manifest.inputs!.files).toEqual([
    {
      file: `metrics-${btc}-2024-03-30.zip`,
      source: 'binance',
      kind: 'metrics',
      sha256: 'ab'.repeat(32),
      finding: null,
    },
  ])
  const redirect = await ask('/v1/datasets/open_interest/yesterday.parquet')
  expect(redirect.status).toBe(302)
  // The clock of the tests is in the past, so the store would refuse the signature.
  const { pathname } = new URL(redirect.headers.get('location')!)
  const key = datasetFileKey(manifest, DATE, 'open_interest.parquet')
  expect(decodeURIComponent(pathname)).toContain(`/${key}`)
  expect((await store.get(key))!.byteLength).toBe(manifest.files[0]!.bytes)
  expect((await ask('/v1/datasets/open_interest/2024-03-31')).status).toBe(404)
})

describe('plans', () => {
  for (const table of FACT_RANGES) {
    test(`${table.name}: a page of a long range reads the rows of the page by the key`, async () => {
      const names = table.columns.map(({ name }) => name)
      const [from, to] = ['2023-04-01T00:00:00Z', NOW].map((text) => fromMillis(Date.parse(text)))
      const middle = fromMillis(Date.parse('2024-03-29T00:00:00Z'))
      for (const after of [null, [middle, ...table.identity.slice(1).map(() => 0)] as const]) {
        let plan = ''
        const db = {
          async query<R>(text: string, values: readonly unknown[]): Promise<readonly R[]> {
            const explain = `explain (analyze, buffers, format json) ${text}`
            const { rows } = await edge.pool.query(explain, [...values])
            plan = JSON.stringify(rows[0]['QUERY PLAN'])
            return []
          },
        }
        await selectRange(db, {
          table,
          columns: names,
          symbol_id: btc,
          interval_s: table.intervals?.['1m'],
          from: micros(from!),
          to: micros(to!),
          after,
          limit: 1_001,
        })
        const [{ Plan: top }] = JSON.parse(plan) as [{ Plan: Record<string, unknown> }]
        const blocks = Number(top['Shared Hit Blocks']) + Number(top['Shared Read Blocks'])
        const where = `${table.name} after ${after === null ? 'nothing' : toIso(middle)}: ${plan}`
        expect(plan, where).toContain(`"Index Name":"${table.relation}_pkey"`)
        expect(plan, where).not.toContain('Seq Scan')
        // A row of the index and one of the table, in the worst order.
        expect(blocks, where).toBeLessThan(1_001 * 2)
      }
    })
  }
})

test('while the database is away the answer is a 503, for there is no other place', async () => {
  const away = composeApp(
    { ...edge.bindings, GATEWAY_URL: 'http://127.0.0.1:9' },
    { now: () => fromMillis(Date.parse(NOW)), report: () => undefined },
  )
  const response = await away.request('/v1/open-interest/BTCUSDT')
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
})
