/** /prices: format, statuses and errors of the price tracker, for its existing callers. */
import { beforeAll, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { startEdge } from './support.ts'

const edge = await startEdge()
const reported: unknown[] = []
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse('2026-01-18T21:00:00Z')),
  report: (error) => reported.push(error),
})
const ask: Ask = async (path, init) => app.request(path, init)
let contract: Contract

const T = 1_768_768_182_422
const MANY = 10_050

beforeAll(async () => {
  contract = await readContract(ask)
  await edge.pool.query(
    `insert into marketdata.prices (ticker, price, "timestamp", ts_ingest, created_at)
     select ticker, price, to_timestamp(ms / 1000.0), now(), '2026-01-18T20:29:43.530431Z'
     from (values ('btc_usd', 95413.23, $1::bigint), ('btc_usd', 95415.31, $1 + 60000),
       ('btc_usd', 0.00000000412, $1 + 120000), ('eth_usd', 3349.74, $1)) as v (ticker, price, ms)`,
    [T],
  )
  await edge.pool.query(
    `insert into marketdata.prices (ticker, price, "timestamp", ts_ingest)
     select 'sol_usd', 100 + n, to_timestamp(($1::bigint + n) / 1000.0), now() from generate_series(1, ${MANY}) as n`,
    [T],
  )
})

async function answer(status: number, path: string): Promise<Record<string, unknown>> {
  const response = await ask(path)
  expect([path, response.status]).toEqual([path, status])
  return contract.check(path, response)
}

test('all prices of a ticker: newest first, with count and ticker', async () => {
  const body = await answer(200, '/prices?ticker=btc_usd')
  expect(body).toEqual({
    data: [
      expect.objectContaining({ price: 4.12e-9, timestamp: T + 120_000 }),
      expect.objectContaining({ price: 95415.31, timestamp: T + 60_000 }),
      {
        id: expect.any(Number) as number,
        ticker: 'btc_usd',
        price: 95413.23,
        timestamp: T,
        created_at: '2026-01-18T20:29:43.530431+00:00',
      },
    ],
    count: 3,
    ticker: 'btc_usd',
  })
})

test('skip and limit page through them; past the end there is an empty list', async () => {
  const times = async (query: string): Promise<readonly number[]> => {
    const { data } = await answer(200, `/prices?ticker=btc_usd&${query}`)
    return (data as { timestamp: number }[]).map((row) => row.timestamp - T)
  }
  expect(await times('limit=2')).toEqual([120_000, 60_000])
  expect(await times('skip=2&limit=2')).toEqual([0])
  expect(await times('skip=10&limit=10')).toEqual([])
  expect((await answer(200, '/prices?ticker=sol_usd'))['count']).toBe(100)
})

test('the latest price is the object itself', async () => {
  expect(await answer(200, '/prices/latest?ticker=eth_usd')).toEqual({
    id: expect.any(Number) as number,
    ticker: 'eth_usd',
    price: 3349.74,
    timestamp: T,
    created_at: '2026-01-18T20:29:43.530431+00:00',
  })
})

test('both bounds of the filter are inclusive and optional, and the answer repeats them', async () => {
  const both = await answer(200, `/prices/filter?ticker=btc_usd&start=${T}&end=${T + 60_000}`)
  expect(both).toMatchObject({ count: 2, ticker: 'btc_usd', start: T, end: T + 60_000 })
  const from = await answer(200, `/prices/filter?ticker=btc_usd&start=${T + 60_000}`)
  expect(from).toMatchObject({ count: 2, start: T + 60_000, end: null })
  const until = await answer(200, `/prices/filter?ticker=btc_usd&end=${T}`)
  expect(until).toMatchObject({ count: 1, start: null, end: T })
  expect((await answer(200, '/prices/filter?ticker=btc_usd'))['count']).toBe(3)
})

test('a filter with too many matches answers the newest part and links to the rest', async () => {
  const seen = new Set<number>()
  let path: string | undefined = `/prices/filter?ticker=sol_usd&start=${T + 2}`
  let pages = 0
  while (path !== undefined) {
    const response = await ask(path)
    const { data } = (await response.json()) as { data: { timestamp: number }[] }
    for (const { timestamp } of data) seen.add(timestamp)
    path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
    pages++
  }
  expect([pages, seen.size]).toEqual([2, MANY - 1])
})

test('tickers by name, and the statistics of one', async () => {
  for (const path of ['/prices/tickers', '/prices/available-tickers']) {
    expect(await answer(200, path)).toEqual(['btc_usd', 'eth_usd', 'sol_usd'])
  }
  expect(await answer(200, '/prices/stats?ticker=btc_usd')).toEqual({
    count: 3,
    min_price: 4.12e-9,
    max_price: 95415.31,
    // The double nearest to 190828.54000000412 / 3.
    avg_price: Number('63609.51333333470666666667'),
    first_timestamp: T,
    last_timestamp: T + 120_000,
  })
})

test('an unknown ticker: 404 for the latest, nothing for the others', async () => {
  const missing = await answer(404, '/prices/latest?ticker=doge_usd')
  expect(missing['detail']).toBe("Prices for ticker 'doge_usd' were not found.")
  expect(await answer(200, '/prices?ticker=doge_usd')).toEqual({
    data: [],
    count: 0,
    ticker: 'doge_usd',
  })
  expect(await answer(200, '/prices/stats?ticker=doge_usd')).toEqual({
    count: 0,
    min_price: null,
    max_price: null,
    avg_price: null,
    first_timestamp: null,
    last_timestamp: null,
  })
  const hostile = encodeURIComponent("btc_usd' OR '1'='1")
  expect(await answer(200, `/prices?ticker=${hostile}`)).toMatchObject({ data: [], count: 0 })
})

for (const path of ['/prices', '/prices/latest', '/prices/filter', '/prices/stats']) {
  test(`${path} without a ticker is a 422 that names it`, async () => {
    expect(await answer(422, path)).toEqual({
      detail: [{ type: 'missing', loc: ['query', 'ticker'], msg: 'Field required', input: null }],
    })
  })
}

for (const [query, name] of [
  ['ticker=bt', 'ticker'],
  [`ticker=${'x'.repeat(65)}`, 'ticker'],
  ['ticker=btc_usd&ticker=eth_usd', 'ticker'],
  ['ticker=btc_usd&limit=0', 'limit'],
  ['ticker=btc_usd&limit=2000', 'limit'],
  ['ticker=btc_usd&limit=ten', 'limit'],
  ['ticker=btc_usd&skip=-1', 'skip'],
] as const) {
  test(`/prices?${query.slice(0, 40)} is a 422 about ${name}`, async () => {
    const { detail } = await answer(422, `/prices?${query}`)
    expect((detail as readonly unknown[])[0]).toMatchObject({ loc: ['query', name] })
  })
}

test('a range that ends before it begins is a 400, an invalid time a 422', async () => {
  const reversed = await answer(400, '/prices/filter?ticker=btc_usd&start=1000&end=500')
  expect(reversed['detail']).toBe('start (1000) cannot be later than end (500).')
  for (const start of ['-1', 'yesterday', '1e3', '99999999999999999']) {
    await answer(422, `/prices/filter?ticker=btc_usd&start=${start}`)
  }
})

test('none of this was reported as a fault of the service', () => expect(reported).toEqual([]))
