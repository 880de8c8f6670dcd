/** The exchange server as Binance spot: paths, limits, payloads, REST, and a replay. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { inMicroseconds } from '../../../infra/exchange/protocol/time-unit.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { parseSpotPath } from '../../../infra/exchange/spot/socket-path.ts'
import { connect, countOf, type Fields, getJson, payloadsOf, until } from './client.ts'

const SIM = { kind: 'sim', seed: 3, symbols: ['BTCUSDT', 'ETHUSDT'], events_per_s: 1_000 } as const
const SNAPSHOT_PATH = '/api/v3/depth?symbol=BTCUSDT&limit=5000'

let server: ExchangeServer
beforeAll(async () => {
  server = await startExchange({ port: 0, source: SIM, venue: 'binance-spot' })
})
afterAll(() => server.stop())

const dir = mkdtempSync(join(tmpdir(), 'booktape-spot-'))
afterAll(() => rmSync(dir, { recursive: true }))

test('paths: no routes, but a time unit', () => {
  const request = { route: 'every', combined: true, streams: ['a@trade'], in_microseconds: false }
  for (const [url, expected] of [
    ['/stream?streams=a@trade', request],
    ['/stream?streams=a@trade&timeUnit=MICROSECOND', { ...request, in_microseconds: true }],
    ['/stream?timeUnit=microsecond', { ...request, streams: [], in_microseconds: true }],
    ['/ws/a@trade?timeUnit=millisecond', { ...request, combined: false }],
    ['/stream?timeUnit=nanosecond', undefined],
    ['/public/stream', undefined],
    ['/streams', undefined],
  ] as const) {
    expect(parseSpotPath(url), url).toEqual(expected)
  }
})

test('one socket delivers every class of streams, in the documented form', async () => {
  const classes = ['bookTicker', 'aggTrade', 'trade', 'depth@100ms', 'depth5@100ms']
  const names = classes.map((name) => `btcusdt@${name}`)
  const client = await connect(`${server.ws_url}/stream?streams=${names.join('/')}`)
  await until(() => names.every((name) => countOf(client, name) > 0))
  const first = Object.fromEntries(
    classes.map((name) => [name, payloadsOf(client, `btcusdt@${name}`)[0]!]),
  )
  const keys = Object.fromEntries(
    classes.map((name) => [name, Object.keys(first[name]!).join(' ')]),
  )
  expect(keys).toEqual({
    bookTicker: 'u s b B a A',
    aggTrade: 'e E s a p q f l T m M',
    trade: 'e E s t p q T m M',
    'depth@100ms': 'e E s U u b a',
    'depth5@100ms': 'lastUpdateId bids asks',
  })
  expect(first['bookTicker']!['b']).toMatch(/^\d+\.\d{8}$/)
  await client.close()
})

test('book changes form a chain, and a snapshot fits into it', async () => {
  const client = await connect(`${server.ws_url}/stream?streams=ethusdt@depth@100ms`)
  const diffs = (): Fields[] => payloadsOf(client, 'ethusdt@depth@100ms')
  await until(() => diffs().length > 2)
  const { body } = await getJson(`${server.url}/api/v3/depth?symbol=ETHUSDT&limit=5000`)
  const { lastUpdateId, bids } = body as { lastUpdateId: number; bids: unknown[] }
  expect(Object.keys(body as Fields)).toEqual(['lastUpdateId', 'bids', 'asks'])
  expect(bids.length).toBeGreaterThan(100)
  await until(() => Number(diffs().at(-1)?.['u']) > lastUpdateId)
  for (const [index, diff] of diffs().slice(1).entries()) {
    expect(diff['U']).toBe(Number(diffs()[index]!['u']) + 1)
  }
  const next = diffs().find((diff) => Number(diff['u']) > lastUpdateId)!
  expect(Number(next['U'])).toBeLessThanOrEqual(lastUpdateId + 1)
  await client.close()
})

test('the same trade has the same microseconds on the socket and over REST', async () => {
  const client = await connect(
    `${server.ws_url}/stream?streams=btcusdt@aggTrade&timeUnit=MICROSECOND`,
  )
  await until(() => payloadsOf(client, 'btcusdt@aggTrade').length > 2)
  const [trade] = payloadsOf(client, 'btcusdt@aggTrade')
  const path = `/api/v3/aggTrades?symbol=BTCUSDT&fromId=${String(trade!['a'])}&limit=1`
  const headers = { 'X-MBX-TIME-UNIT': 'microsecond' }
  const [fine] = (await (await fetch(server.url + path, { headers })).json()) as [Fields]
  const [plain] = (await (await fetch(server.url + path)).json()) as [Fields]
  const { a, p, q, f, l, T, m, M } = trade!
  expect(fine).toEqual({ a, p, q, f, l, T, m, M })
  expect(Math.floor(Number(T) / 1_000)).toBe(plain['T'])
  await client.close()
})

test('only times change their unit', () => {
  const text = '{"E":1784989999911,"u":1784989999911,"T":1784989999000,"serverTime":1784989999911}'
  const changed = JSON.parse(inMicroseconds(text)) as Record<string, number>
  expect(changed['u']).toBe(1_784_989_999_911)
  for (const name of ['E', 'T', 'serverTime']) {
    expect(Math.floor(changed[name]! / 1_000)).toBe((JSON.parse(text) as typeof changed)[name])
  }
  expect(inMicroseconds(inMicroseconds(text))).toBe(inMicroseconds(text))
})

describe('limits', () => {
  test('the sixth message in a second closes the socket', async () => {
    const client = await connect(`${server.ws_url}/stream`)
    for (let id = 1; id <= 6; id++) client.socket.send(`{"method":"LIST_SUBSCRIPTIONS","id":${id}}`)
    expect(await client.closed).toBe(1008)
  })

  test('only a pong with the payload of a ping keeps a socket open', async () => {
    const strict = await startExchange({
      port: 0,
      source: SIM,
      venue: 'binance-spot',
      limits: { ping_interval_ms: 60, pong_limit_ms: 1_500, messages_per_second_max: 100 },
    })
    const good = await connect(`${strict.ws_url}/stream`)
    const socket = new WebSocket(`${strict.ws_url}/stream`, { autoPong: false })
    const chatter = setInterval(() => socket.readyState === socket.OPEN && socket.pong('alive'), 50)
    await new Promise((resolve) => {
      socket.on('error', () => undefined)
      socket.on('close', resolve)
    })
    clearInterval(chatter)
    expect(good.socket.readyState).toBe(WebSocket.OPEN)
    await good.close()
    await strict.stop()
  })

  test('every socket gets the shutdown notice without a subscription', async () => {
    const client = await connect(`${server.ws_url}/stream?streams=btcusdt@trade`)
    server.setFaults({ actions: [{ kind: 'server_shutdown', close_after_ms: 50 }] })
    await client.closed
    expect(payloadsOf(client, '!serverShutdown')).toMatchObject([{ e: 'serverShutdown' }])
  })
})

describe('REST', () => {
  test('weights are those of spot, 6,000 per minute', async () => {
    const fresh = await startExchange({ port: 0, source: SIM, venue: 'binance-spot' })
    const used: number[] = []
    for (const path of [
      '/api/v3/ping',
      '/api/v3/exchangeInfo',
      '/api/v3/depth?symbol=BTCUSDT',
      '/api/v3/depth?symbol=BTCUSDT&limit=500',
      '/api/v3/depth?symbol=BTCUSDT&limit=1000',
      SNAPSHOT_PATH,
      '/api/v3/aggTrades?symbol=BTCUSDT',
      '/api/v3/historicalTrades?symbol=BTCUSDT',
      '/api/v3/ticker/24hr',
    ]) {
      const { status, headers } = await getJson(fresh.url + path)
      expect(status, path).toBe(200)
      used.push(Number(headers.get('x-mbx-used-weight-1m')))
    }
    const weights = used.map((weight, index) => weight - (used[index - 1] ?? 0))
    expect(weights).toEqual([1, 20, 5, 25, 50, 250, 4, 25, 80])
    const { body } = await getJson(`${fresh.url}/api/v3/exchangeInfo`)
    expect(body).toMatchObject({ rateLimits: [{ limit: 6_000 }] })
    await fresh.stop()
  })

  test('the listing has steps with eight decimals, and filters by status', async () => {
    const { body } = await getJson(
      `${server.url}/api/v3/exchangeInfo?symbolStatus=TRADING&showPermissionSets=false`,
    )
    const { symbols } = body as { symbols: Fields[] }
    expect(symbols.map(({ symbol }) => symbol)).toEqual(['BTCUSDT', 'ETHUSDT'])
    expect(symbols[0]).toMatchObject({
      status: 'TRADING',
      baseAsset: 'BTC',
      filters: [{ filterType: 'PRICE_FILTER', tickSize: '0.10000000' }, { filterType: 'LOT_SIZE' }],
    })
    const broken = await getJson(`${server.url}/api/v3/exchangeInfo?symbolStatus=BREAK`)
    expect(broken.body).toMatchObject({ symbols: [] })
  })

  for (const [path, status, code] of [
    ['/fapi/v1/ping', 404, -1000],
    ['/api/v3/depth', 400, -1102],
    ['/api/v3/depth?symbol=NOSUCH', 400, -1121],
    ['/api/v3/depth?symbol=BTCUSDT&limit=0', 400, -1130],
    ['/api/v3/aggTrades?symbol=BTCUSDT&fromId=1&startTime=2', 400, -1128],
    ['/api/v3/aggTrades?symbol=BTCUSDT&startTime=3&endTime=2', 400, -1023],
  ] as const) {
    test(`${path} is refused with ${code}`, async () => {
      expect(await getJson(server.url + path)).toMatchObject({ status, body: { code } })
    })
  }
})

test('a spot recording makes the server spot: its frames, byte for byte, and its snapshot', async () => {
  const T = 1_617_566_592_000
  const book = '{"lastUpdateId":100,"bids":[["2.0","1"],["1.9","5"]],"asks":[["2.1","3"]]}'
  const frames = [
    `{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":${T},"s":"BTCUSDT","U":99,"u":101,"b":[],"a":[["2.2","1"]]}}`,
    '{"stream":"btcusdt@bookTicker","data":{"u":102,"s":"BTCUSDT","b":"2.0","B":"1","a":"2.1","A":"3"}}',
    '{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":103,"bids":[["2.0","1"]],"asks":[]}}',
    `{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":${T},"s":"BTCUSDT","a":7,"p":"2.1","q":"1","f":8,"l":9,"T":${T},"m":false,"M":true}}`,
  ]
  const file = join(dir, 'spot.ndjson')
  const lines = [
    { t: 'header', exchange: 'binance-spot', symbols: ['BTCUSDT'] },
    { t: 'rest', ts: T * 1_000, path: '/api/v3/depth?symbol=BTCUSDT&limit=1000', data: book },
    ...frames.map((data, index) => ({ t: 'ws', ts: T * 1_000 + index, data })),
  ]
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'))
  const player = await startExchange({
    port: 0,
    source: { kind: 'replay', files: [file], speed: 'max' },
  })
  const names = ['bookTicker', 'depth@100ms', 'depth5@100ms', 'aggTrade'].map(
    (name) => `btcusdt@${name}`,
  )
  const client = await connect(`${player.ws_url}/stream?streams=${names.join('/')}`)
  player.startReplay()
  await until(() => client.frames.length === frames.length)
  expect(client.frames).toEqual(frames)
  expect((await getJson(player.url + SNAPSHOT_PATH)).body).toEqual(JSON.parse(book))
  const ids = player.ledger().streams.map(({ stream, first_id }) => [stream, first_id])
  expect(Object.fromEntries(ids)).toEqual({
    'btcusdt@aggTrade': 7,
    'btcusdt@bookTicker': 102,
    'btcusdt@depth@100ms': 101,
    'btcusdt@depth5@100ms': 103,
  })
  const trades = await getJson(`${player.url}/api/v3/aggTrades?symbol=BTCUSDT&fromId=1`)
  expect(trades.body).toEqual([{ a: 7, p: '2.1', q: '1', f: 8, l: 9, T, m: false, M: true }])
  await client.close()
  await player.stop()
})
