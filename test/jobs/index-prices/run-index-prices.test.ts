/**
 * The poller against the local exchange, and against one that refuses, stalls and sends nonsense.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { startExchange } from '../../../infra/exchange/server.ts'
import {
  type IndexPricesOptions,
  runIndexPrices,
} from '../../../jobs/index-prices/run-index-prices.ts'
import { createTestDatabase } from '../../support/database.ts'

const { pool } = await createTestDatabase()
const closers: (() => Promise<void> | void)[] = []
afterAll(async () => {
  for (const close of closers) await close()
})
beforeEach(async () => {
  await pool.query('truncate marketdata.prices; truncate marketdata.job_runs')
})

const NOW = Date.parse('2026-01-18T20:29:43.530Z')
const US_OUT = NOW * 1_000 - 12_345

function run(
  rest_url: string,
  names: readonly string[],
  options: Partial<IndexPricesOptions> = {},
) {
  return runIndexPrices({
    pool,
    rest_url,
    names,
    log: silentLogger,
    now: () => NOW,
    random: () => 0.5,
    signal: new AbortController().signal,
    settings: { timeout_ms: 60_000, delay_ms: 10 },
    ...options,
  })
}

/** An exchange whose n-th answer for an index is the n-th of the list. */
async function scriptedExchange(
  answers: Readonly<Record<string, readonly ((response: ServerResponse) => void)[]>>,
): Promise<{ readonly url: string; readonly asked: () => readonly string[] }> {
  const asked: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    const name = new URL(request.url ?? '', 'http://x').searchParams.get('index_name') ?? ''
    const turn = asked.filter((other) => other === name).length
    asked.push(name)
    const list = answers[name] ?? []
    ;(list[turn] ?? list.at(-1))!(response)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked }
}

const says = (status: number, body: unknown) => (response: ServerResponse) => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}
const price = (index_price: unknown, usOut: unknown = US_OUT) =>
  says(200, { jsonrpc: '2.0', result: { index_price, estimated_delivery_price: 1 }, usOut })
const hangs = (): void => undefined
const resets = (response: ServerResponse) => void response.socket?.destroy()

async function stored(): Promise<readonly unknown[]> {
  const { rows } = await pool.query(
    `select ticker, price::text, "timestamp"::text as at, ts_ingest::text from marketdata.prices order by ticker, "timestamp"`,
  )
  return rows
}

async function lastRun(): Promise<Record<string, unknown> & { log_lines: { code?: string }[] }> {
  const { rows } = await pool.query(
    'select job, job_window, status, row_count, error, log_lines from marketdata.job_runs order by id desc limit 1',
  )
  return rows[0]
}

test('prices of the simulated Deribit are stored once, with the exchange’s time', async () => {
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 3, symbols: 2, events_per_s: 100 },
  })
  closers.push(() => exchange.stop())
  // The first values appear with the first whole second.
  const settings = { delay_ms: 700 }
  const now = Date.now
  expect(await run(exchange.url, ['btc_usd', 'eth_usd'], { settings, now })).toMatchObject({
    row_count: 2,
  })
  const { rows } = await pool.query<{ ticker: string; age_s: number }>(
    `select ticker, extract(epoch from now() - "timestamp")::float8 as age_s from marketdata.prices order by ticker`,
  )
  expect(rows.map((row) => row.ticker)).toEqual(['btc_usd', 'eth_usd'])
  for (const { age_s } of rows) expect(Math.abs(age_s)).toBeLessThan(60)
})

test('two fetchers of the same value store one row, exact to the last digit', async () => {
  const { url } = await scriptedExchange({ btc_usd: [price(95413.23000001)] })
  const [first, second] = await Promise.all([
    run(url, ['btc_usd']),
    run(url, ['btc_usd'], { now: () => NOW + 60_000 }),
  ])
  expect(first.row_count + second.row_count).toBe(1)
  expect(await stored()).toMatchObject([
    { ticker: 'btc_usd', price: '95413.23000001', at: '2026-01-18 20:29:43.517+00' },
  ])
  expect((await run(url, ['btc_usd'])).row_count).toBe(0)
})

test('a request that fails twice is sent a third time, and the run’s log shows it', async () => {
  const { url, asked } = await scriptedExchange({
    btc_usd: [
      says(400, { error: { code: 10028, message: 'too_many_requests' } }),
      hangs,
      price(1.5),
    ],
  })
  await run(url, ['btc_usd'], { settings: { timeout_ms: 2_000, delay_ms: 10 } })
  expect(asked().length).toBe(3)
  expect(await stored()).toHaveLength(1)
  const { log_lines, ...row } = await lastRun()
  expect(row).toMatchObject({
    job: 'index_prices',
    job_window: '2026-01-18T20:29',
    status: 'done',
    row_count: '1',
  })
  expect(log_lines.filter((line) => line.code === 'index_price_retry')).toMatchObject([
    { symbol: 'btc_usd', error: '10028: too_many_requests', delay_ms: 8 },
    { symbol: 'btc_usd', error: 'no answer in 2000 ms', delay_ms: 15 },
  ])
})

test('after three attempts it gives up; the other index is stored anyway', async () => {
  const { url, asked } = await scriptedExchange({ btc_usd: [resets], eth_usd: [price(3349.74)] })
  await expect(run(url, ['btc_usd', 'eth_usd'])).rejects.toMatchObject({
    code: 'index_price_failed',
    retryable: true,
  })
  expect(asked().filter((name) => name === 'btc_usd').length).toBe(3)
  expect(await stored()).toMatchObject([{ ticker: 'eth_usd', price: '3349.74' }])
  expect(await lastRun()).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('no price of btc_usd in 3 attempts') as string,
  })
})

test('Retry-After is respected if it is longer than our own delay', async () => {
  const busy = (response: ServerResponse): void => {
    response.setHeader('retry-after', '1')
    says(429, '')(response)
  }
  const { url } = await scriptedExchange({ btc_usd: [busy, price(1)] })
  const started = performance.now()
  await run(url, ['btc_usd'])
  expect(performance.now() - started).toBeGreaterThan(950)
})

for (const [name, answer] of [
  ['an unknown index', says(400, { error: { code: -32602, message: 'Invalid params' } })],
  ['no JSON', says(200, '<html>')],
  ['a price as text', price('95413.23')],
  ['a price of 0', price(0)],
  ['a negative price', price(-1)],
  [
    'a price that no double can hold',
    says(200, `{"result":{"index_price":1e400},"usOut":${NOW * 1_000}}`),
  ],
  ['an answer without a time', says(200, { result: { index_price: 1 } })],
  ['a time in milliseconds', price(1, NOW)],
  ['an endless answer', says(200, 'x'.repeat(70_000))],
] as const) {
  test(`${name} is refused at once, and nothing is stored`, async () => {
    const { url, asked } = await scriptedExchange({ btc_usd: [answer] })
    await expect(run(url, ['btc_usd'])).rejects.toMatchObject({ code: 'index_price_refused' })
    expect(asked()).toHaveLength(1)
    expect(await stored()).toEqual([])
  })
}
