/**
 * The exchange server as Deribit: calls, channels, heartbeats, credits and faults over real
 * sockets.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import {
  type ExchangeOptions,
  type ExchangeServer,
  startExchange,
} from '../../../infra/exchange/server.ts'
import { connect, type Fields, getJson, type TestClient, until } from './client.ts'

const CHANNEL = 'deribit_price_index.btc_usd'
const closers: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const close of closers.toReversed()) await close()
})

async function exchangeOf(options: Partial<ExchangeOptions> = {}): Promise<ExchangeServer> {
  const source = { kind: 'sim', seed: 3, symbols: 5, events_per_s: 200 } as const
  const exchange = await startExchange({ port: 0, source, ...options })
  closers.push(() => exchange.stop())
  return exchange
}

async function clientOf(exchange: ExchangeServer): Promise<TestClient> {
  const client = await connect(`${exchange.ws_url}/ws/api/v2`)
  closers.push(() => client.close())
  return client
}

let next_id = 1
/** Sends a call and returns the response. */
async function call(client: TestClient, method: string, params: object = {}): Promise<Fields> {
  const id = next_id++
  client.socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
  const answerOf = (): Fields | undefined =>
    client.frames.map((text) => JSON.parse(text) as Fields).find((frame) => frame['id'] === id)
  await until(() => answerOf() !== undefined)
  return answerOf()!
}

interface Notified {
  readonly timestamp: number
  readonly price: number
  readonly index_name: string
}

function pricesOf(client: TestClient, channel = CHANNEL): readonly Notified[] {
  return client.frames
    .filter((text) => text.includes(`"channel":"${channel}"`))
    .map((text) => (JSON.parse(text) as { params: { data: Notified } }).params.data)
}

const market = await exchangeOf()

test('subscribe returns the accepted channels and omits unknown ones', async () => {
  const client = await clientOf(market)
  market.setFaults({ faults: [{ kind: 'refuse_streams', streams: CHANNEL }] })
  expect(await call(client, 'public/subscribe', { channels: [CHANNEL] })).toMatchObject({
    result: [],
  })
  market.setFaults({ faults: [] })
  const channels = [CHANNEL, 'deribit_price_index.xyz_usd', 'book.BTC-PERPETUAL.raw']
  const answer = await call(client, 'public/subscribe', { channels })
  expect(answer).toMatchObject({ jsonrpc: '2.0', result: [CHANNEL], testnet: false })
  await until(() => pricesOf(client).length >= 2)
  const [first, second] = pricesOf(client)
  expect(second!.timestamp - first!.timestamp).toBeGreaterThanOrEqual(1_000)
  expect(first).toMatchObject({ index_name: 'btc_usd', price: expect.any(Number) as number })

  expect(await call(client, 'public/unsubscribe', { channels: [CHANNEL] })).toMatchObject({
    result: [CHANNEL],
  })
  const count = pricesOf(client).length
  await sleep(1_200)
  expect(pricesOf(client).length).toBe(count)
})

test('the index follows the mid of the simulated market, and REST returns the same value', async () => {
  const client = await clientOf(market)
  await call(client, 'public/subscribe', { channels: [CHANNEL] })
  await until(() => pricesOf(client).length > 0)
  const rest = await getJson(`${market.url}/api/v2/public/get_index_price?index_name=btc_usd`)
  const { result, usOut } = rest.body as { result: { index_price: number }; usOut: number }
  expect(rest.status).toBe(200)
  expect(Math.abs(usOut / 1_000 - Date.now())).toBeLessThan(5_000)
  const depth = await getJson(`${market.url}/fapi/v1/depth?symbol=BTCUSDT&limit=5`)
  const { bids, asks } = depth.body as { bids: string[][]; asks: string[][] }
  const mid = (Number(bids[0]![0]) + Number(asks[0]![0])) / 2
  expect(Math.abs(result.index_price / mid - 1)).toBeLessThan(0.005)
  const published = pricesOf(client).map((value) => value.price)
  const over_socket = await call(client, 'public/get_index_price', { index_name: 'btc_usd' })
  await until(() => pricesOf(client).length > published.length)
  expect(pricesOf(client).map((value) => value.price)).toContain(
    (over_socket['result'] as { index_price: number }).index_price,
  )
})

test('names, time and errors over REST', async () => {
  const ask = (path: string) => getJson(`${market.url}/api/v2/public/${path}`)
  expect((await ask('get_index_price_names')).body).toMatchObject({
    result: ['btc_usd', 'eth_usd', 'sol_usd', 'xrp_usd', 'doge_usd'],
  })
  expect((await ask('get_time')).body).toMatchObject({ result: expect.any(Number) as number })
  for (const [path, code] of [
    ['get_index_price?index_name=xyz_usd', -32602],
    ['get_index_price', -32602],
    ['get_order_book', -32601],
  ] as const) {
    const { status, body } = await ask(path)
    expect([path, status, (body as { error: { code: number } }).error.code]).toEqual([
      path,
      400,
      code,
    ])
  }
})

for (const [name, text, code] of [
  ['text that is not JSON', '{"jsonrpc"', -32700],
  ['a list', '[]', -32600],
  ['a call without a method', '{"jsonrpc":"2.0","id":1}', -32600],
  ['a method that does not exist', '{"jsonrpc":"2.0","id":1,"method":"public/dance"}', -32601],
  [
    'a heartbeat that is too fast',
    '{"jsonrpc":"2.0","id":1,"method":"public/set_heartbeat","params":{"interval":9}}',
    -32602,
  ],
  [
    'channels that are not a list',
    '{"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":"a"}}',
    -32602,
  ],
] as const) {
  test(`${name} gets error ${code}, and the socket stays open`, async () => {
    const client = await clientOf(market)
    client.socket.send(text)
    await until(() => client.frames.length > 0)
    expect(JSON.parse(client.frames[0]!)).toMatchObject({ error: { code } })
    expect(await call(client, 'public/test')).toHaveProperty('result')
  })
}

test('a client must answer test_request to keep its socket', async () => {
  const exchange = await exchangeOf({ limits: { heartbeat_second_ms: 50 } })
  const faithful = await clientOf(exchange)
  faithful.socket.on('message', (data) => {
    if (!String(data).includes('"test_request"')) return
    faithful.socket.send('{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}')
  })
  const silent = await clientOf(exchange)
  for (const client of [faithful, silent]) {
    expect(await call(client, 'public/set_heartbeat', { interval: 10 })).toMatchObject({
      result: 'ok',
    })
  }
  expect(await silent.closed).toBe(1008)
  const asked = (): number =>
    faithful.frames.filter((text) => text.includes('"test_request"')).length
  await until(() => asked() > 2)
  expect(faithful.socket.readyState).toBe(faithful.socket.OPEN)
})

test('the eleventh subscribe at once exceeds the credits: 10028, and the socket closes', async () => {
  const client = await clientOf(market)
  for (let at = 0; at < 12; at++) {
    client.socket.send(
      `{"jsonrpc":"2.0","id":${900 + at},"method":"public/subscribe","params":{"channels":[]}}`,
    )
  }
  expect(await client.closed).toBe(1008)
  const errors = client.frames.filter((text) => text.includes('"code":10028'))
  expect([client.frames.length, errors.length]).toEqual([11, 1])
})

test('faults apply to its channels too, and a shutdown is not announced', async () => {
  const exchange = await exchangeOf()
  const client = await clientOf(exchange)
  await call(client, 'public/subscribe', { channels: [CHANNEL, 'deribit_price_index.eth_usd'] })
  exchange.setFaults({ faults: [{ kind: 'drop', streams: CHANNEL }] })
  await until(() => pricesOf(client, 'deribit_price_index.eth_usd').length >= 2)
  const dropped = exchange.ledger().streams.find(({ stream }) => stream === CHANNEL)!
  expect(dropped.undelivered_count).toBeGreaterThan(0)
  exchange.setFaults({ faults: [{ kind: 'out_of_range', streams: CHANNEL, count_max: 1 }] })
  await until(() => client.frames.some((text) => text.includes('"price":9e999')))
  exchange.setFaults({ actions: [{ kind: 'server_shutdown', close_after_ms: 10 }] })
  await client.closed
  expect(client.frames.join('')).not.toContain('serverShutdown')
})

test('a Deribit recording plays byte for byte, and REST has its newest value', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'booktape-deribit-'))
  closers.push(() => rm(dir, { recursive: true }))
  const file = join(dir, 'feed.ndjson')
  const frame = (ms: number, price: string): string =>
    `{"jsonrpc":"2.0","method":"subscription","params":{"channel":"${CHANNEL}","data":{"timestamp":${ms},"price":${price},"index_name":"btc_usd"}}}`
  const frames = [frame(1_617_580_800_000, '58000.10'), frame(1_617_580_801_000, '58000.5')]
  const lines = frames.map((data, at) =>
    JSON.stringify({ t: 'ws', ts: 1_617_580_800_050_000 + at, data }),
  )
  const header = JSON.stringify({ t: 'header', exchange: 'deribit', symbols: ['btc_usd'] })
  await writeFile(file, [header, ...lines, ''].join('\n'))

  const exchange = await exchangeOf({ source: { kind: 'replay', files: [file], speed: 'max' } })
  const client = await clientOf(exchange)
  await call(client, 'public/subscribe', { channels: [CHANNEL] })
  exchange.startReplay()
  await until(() => exchange.status().state === 'done')
  await until(() => client.frames.length >= 3)
  expect(client.frames.slice(1)).toEqual(frames)
  const [account] = exchange.ledger().streams
  expect(account).toMatchObject({ stream: CHANNEL, sent_count: 2, last_id: 1_617_580_801_000 })
  const { body } = await getJson(`${exchange.url}/api/v2/public/get_index_price?index_name=btc_usd`)
  expect(body).toMatchObject({ result: { index_price: 58000.5 } })
  const { body: listing } = await getJson(`${exchange.url}/fapi/v1/exchangeInfo`)
  expect(listing).toMatchObject({ symbols: [] })
})
