/** Listing changes, forced orders and turnover of the simulated exchange. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import {
  connect,
  countOf,
  getJson,
  payloadsOf,
  until,
  type Fields,
  type TestClient,
} from './client.ts'

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']

let server: ExchangeServer
let fills: TestClient
let news: TestClient
beforeAll(async () => {
  const source = { kind: 'sim', seed: 5, symbols: SYMBOLS, events_per_s: 6_000 } as const
  server = await startExchange({ port: 0, source })
  const raw = SYMBOLS.map((symbol) => `${symbol.toLowerCase()}@trade`)
  fills = await connect(`${server.ws_url}/public/stream?streams=${raw.join('/')}`)
  const forced = SYMBOLS.map((symbol) => `${symbol.toLowerCase()}@forceOrder`)
  const trades = SYMBOLS.map((symbol) => `${symbol.toLowerCase()}@aggTrade`)
  const streams = ['!contractInfo', ...forced, ...trades].join('/')
  news = await connect(`${server.ws_url}/market/stream?streams=${streams}`)
})
afterAll(() => server.stop())

function change(symbol: string, kind: 'list' | 'delist' | 'finer_tick'): void {
  server.setFaults({ actions: [{ kind: 'listing', symbol, change: kind }] })
}

async function listed(symbol: string): Promise<{ status: unknown; tick: unknown } | undefined> {
  const { body } = await getJson(`${server.url}/fapi/v1/exchangeInfo`)
  const found = ((body as Fields)['symbols'] as Fields[]).find((one) => one['symbol'] === symbol)
  const [price_filter] = (found?.['filters'] ?? []) as Fields[]
  return found && { status: found['status'], tick: price_filter?.['tickSize'] }
}

test('forced orders are the latest of each second, and are also trades of the market', async () => {
  const streams = SYMBOLS.map((symbol) => `${symbol.toLowerCase()}@forceOrder`)
  await until(() => streams.some((stream) => countOf(news, stream) >= 3))
  for (const stream of streams) {
    const seconds = payloadsOf(news, stream).map((payload) =>
      Math.floor(Number(payload['E']) / 1_000),
    )
    expect(new Set(seconds).size).toBe(seconds.length)
    for (const payload of payloadsOf(news, stream)) {
      const order = payload['o'] as Fields
      const is_sell = order['S'] === 'SELL'
      const [price, average] = [Number(order['p']), Number(order['ap'])]
      // The limit is beyond the market, otherwise it would not fill.
      expect(is_sell ? price <= average : price >= average).toBe(true)
      const trades = payloadsOf(fills, stream.replace('forceOrder', 'trade'))
      const same = trades.filter((trade) => trade['T'] === order['T'] && trade['m'] === is_sell)
      expect(same.length, JSON.stringify(order)).toBeGreaterThan(0)
    }
  }
})

test('turnover follows from the trades: the most active symbol has the largest', async () => {
  await until(() =>
    SYMBOLS.every((symbol) => countOf(news, `${symbol.toLowerCase()}@aggTrade`) > 5),
  )
  const { body, headers } = await getJson(`${server.url}/fapi/v1/ticker/24hr`)
  const rows = body as Fields[]
  expect(rows.map((row) => row['symbol'])).toEqual(SYMBOLS)
  for (const row of rows) expect(Number(row['quoteVolume'])).toBeGreaterThan(0)
  const counts = rows.map((row) => Number(row['count']))
  expect(counts).toEqual(counts.toSorted((a, b) => b - a))
  expect(Number(headers.get('x-mbx-used-weight-1m'))).toBeGreaterThanOrEqual(40)
  const one = await getJson(`${server.url}/fapi/v1/ticker/24hr?symbol=ETHUSDT`)
  expect((one.body as Fields)['symbol']).toBe('ETHUSDT')
  expect((await getJson(`${server.url}/fapi/v1/ticker/24hr?symbol=NOPE`)).status).toBe(400)
})

test('a new symbol: the announcement, its listing, its streams, its book', async () => {
  expect(await listed('WIFUSDT')).toBeUndefined()
  change('WIFUSDT', 'list')
  await until(() =>
    payloadsOf(news, '!contractInfo').some(
      (one) => one['s'] === 'WIFUSDT' && one['cs'] === 'TRADING',
    ),
  )
  expect(await listed('WIFUSDT')).toMatchObject({ status: 'TRADING' })
  const client = await connect(`${server.ws_url}/public/stream?streams=wifusdt@bookTicker`)
  await until(() => countOf(client, 'wifusdt@bookTicker') > 3)
  const { body } = await getJson(`${server.url}/fapi/v1/depth?symbol=WIFUSDT`)
  expect(((body as Fields)['bids'] as unknown[]).length).toBeGreaterThan(10)
  await client.close()
})

test('a delisted symbol settles and falls silent; its trades can still be requested', async () => {
  change('SOLUSDT', 'delist')
  await until(() =>
    payloadsOf(news, '!contractInfo').some(
      (one) => one['s'] === 'SOLUSDT' && one['cs'] === 'SETTLING',
    ),
  )
  expect(await listed('SOLUSDT')).toMatchObject({ status: 'SETTLING' })
  await sleep(300)
  const before = countOf(news, 'solusdt@aggTrade')
  await sleep(700)
  expect(countOf(news, 'solusdt@aggTrade')).toBe(before)
  const { body } = await getJson(`${server.url}/fapi/v1/aggTrades?symbol=SOLUSDT`)
  expect((body as unknown[]).length).toBeGreaterThan(0)
  change('SOLUSDT', 'list')
  await until(() => countOf(news, 'solusdt@aggTrade') > before)
})

test('only the listing shows a finer tick', async () => {
  const tick = Number((await listed('BTCUSDT'))!.tick)
  const news_count = countOf(news, '!contractInfo')
  change('BTCUSDT', 'finer_tick')
  await sleep(200)
  expect(countOf(news, '!contractInfo')).toBe(news_count)
  expect(Number((await listed('BTCUSDT'))!.tick)).toBeCloseTo(tick / 10, 12)
})

for (const [symbol, kind] of [
  ['BTCUSDT', 'list'],
  ['NOSUCHUSDT', 'delist'],
  ['NOSUCHUSDT', 'finer_tick'],
] as const) {
  test(`${kind} of ${symbol} is refused: it ${kind === 'list' ? 'is' : 'is not'} traded`, () => {
    expect(() => change(symbol, kind)).toThrow(symbol)
  })
}
