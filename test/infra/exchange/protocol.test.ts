import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { parseSocketPath } from '../../../infra/exchange/protocol/handshake.ts'
import { startExchange, type ExchangeServer } from '../../../infra/exchange/server.ts'
import { connect, payloadsOf, until } from './client.ts'

const SIM = { kind: 'sim', seed: 1, symbols: ['BTCUSDT', 'ETHUSDT'], events_per_s: 2_000 } as const

let server: ExchangeServer
beforeAll(async () => {
  server = await startExchange({ port: 0, source: SIM })
})
afterAll(() => server.stop())

describe('subscriptions', () => {
  test('streams of the URL arrive wrapped on /stream and bare on /ws', async () => {
    const combined = await connect(
      `${server.ws_url}/public/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker`,
    )
    const raw = await connect(`${server.ws_url}/public/ws/btcusdt@bookTicker`)
    await until(
      () => payloadsOf(combined, 'ethusdt@bookTicker').length > 0 && raw.frames.length > 0,
    )
    expect(JSON.parse(raw.frames[0]!)).toMatchObject({
      e: 'bookTicker',
      s: 'BTCUSDT',
      ps: 'BTCUSDT',
      st: 1,
    })
    await Promise.all([combined.close(), raw.close()])
  })

  test('SUBSCRIBE is acknowledged first, delivers, is listed, and ends with UNSUBSCRIBE', async () => {
    const client = await connect(`${server.ws_url}/public/stream`)
    const subscribe = {
      method: 'SUBSCRIBE',
      params: ['btcusdt@bookTicker', 'ethusdt@trade'],
      id: 7,
    }
    expect(await client.ask(subscribe)).toEqual({ result: null, id: 7 })
    expect(client.frames[0]).toBe('{"result":null,"id":7}')
    await until(() => payloadsOf(client, 'btcusdt@bookTicker').length > 3)
    expect(await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 8 })).toEqual({
      result: ['btcusdt@bookTicker', 'ethusdt@trade'],
      id: 8,
    })
    await client.ask({ method: 'UNSUBSCRIBE', params: ['btcusdt@bookTicker'], id: 9 })
    const count = payloadsOf(client, 'btcusdt@bookTicker').length
    const trades = payloadsOf(client, 'ethusdt@trade').length
    await until(() => payloadsOf(client, 'ethusdt@trade').length > trades + 3)
    expect(payloadsOf(client, 'btcusdt@bookTicker')).toHaveLength(count)
    await client.close()
  })

  for (const [route, silent, heard] of [
    ['/public/stream', ['btcusdt@aggTrade', 'btcusdt@markPrice@1s'], 'btcusdt@bookTicker'],
    [
      '/market/stream',
      ['btcusdt@bookTicker', 'btcusdt@depth@100ms', 'btcusdt@trade'],
      'btcusdt@aggTrade',
    ],
    ['/stream', ['btcusdt@aggTrade', 'btcusdt@markPrice@1s'], 'btcusdt@depth20@100ms'],
  ] as const) {
    test(`${route} acknowledges ${silent[0]} and never delivers it`, async () => {
      const client = await connect(`${server.ws_url}${route}`)
      const params = [...silent, heard]
      expect(await client.ask({ method: 'SUBSCRIBE', params, id: 1 })).toEqual({
        result: null,
        id: 1,
      })
      expect(await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 2 })).toEqual({
        result: params,
        id: 2,
      })
      await until(() => payloadsOf(client, heard).length > 2)
      await sleep(1_100)
      for (const stream of silent) expect(payloadsOf(client, stream)).toEqual([])
      await client.close()
    })
  }

  test('unknown symbols, classes, speeds and upper case are acknowledged but never delivered', async () => {
    const client = await connect(`${server.ws_url}/public/stream`)
    const params = [
      'xyzusdt@bookTicker',
      'BTCUSDT@bookTicker',
      'btcusdt@depth@77ms',
      'btcusdt',
      '',
      '@',
      '!bookTicker',
    ]
    expect(await client.ask({ method: 'SUBSCRIBE', params, id: 1 })).toEqual({
      result: null,
      id: 1,
    })
    await sleep(300)
    expect(client.frames).toHaveLength(1)
    await client.close()
  })
})

describe("invalid requests get Binance's error object", () => {
  for (const [request, code, msg, id] of [
    ['{', 3, /Invalid JSON/, null],
    ['[]', 2, /expected an object/, null],
    ['{"method":"SUBSCRIBE","params":[]}', 2, /request ID/, null],
    ['{"method":"SUBSCRIBE","params":[],"id":-1}', 2, /request ID/, null],
    ['{"method":"SUBSCRIBE","params":[],"id":"x"}', 2, /request ID/, null],
    ['{"params":[],"id":3}', 2, /missing field `method`/, 3],
    ['{"method":"constructor","params":[],"id":4}', 2, /unknown variant `constructor`/, 4],
    ['{"method":"SUBSCRIBE","id":5}', 2, /missing field `params`/, 5],
    ['{"method":"SUBSCRIBE","params":[1],"id":6}', 2, /must be a string/, 6],
  ] as const) {
    test(request, async () => {
      const client = await connect(`${server.ws_url}/public/stream`)
      client.socket.send(request)
      await until(() => client.frames.length > 0)
      expect(JSON.parse(client.frames[0]!)).toEqual({
        error: { code, msg: expect.stringMatching(msg) },
        id,
      })
      await client.close()
    })
  }

  test('stream 1,025 is refused, and the 1,024 before it stay', async () => {
    const client = await connect(`${server.ws_url}/public/stream`)
    const params = Array.from({ length: 1_024 }, (_, index) => `s${index}usdt@bookTicker`)
    expect(await client.ask({ method: 'SUBSCRIBE', params, id: 1 })).toEqual({
      result: null,
      id: 1,
    })
    const refused = await client.ask({ method: 'SUBSCRIBE', params: ['btcusdt@bookTicker'], id: 2 })
    expect(refused).toMatchObject({ error: { code: 2 } })
    expect(await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 3 })).toEqual({
      result: params,
      id: 3,
    })
    await client.close()
  })
})

describe('the lifetime of a socket', () => {
  test('the eleventh message within a second closes it', async () => {
    const client = await connect(`${server.ws_url}/public/stream`)
    for (let id = 0; id < 11; id += 1) {
      client.socket.send(JSON.stringify({ method: 'LIST_SUBSCRIPTIONS', id }))
    }
    expect(await client.closed).toBe(1008)
    expect(client.frames).toHaveLength(10)
  })

  test('it is pinged, and closed if no pong comes', async () => {
    const limits = { ping_interval_ms: 40, pong_limit_ms: 1_500 }
    const strict = await startExchange({
      port: 0,
      source: SIM,
      limits: { ...limits, messages_per_second_max: 1_000 },
    })
    const answering = await connect(`${strict.ws_url}/public/stream`)
    const mute = new WebSocket(`${strict.ws_url}/public/stream`, { autoPong: false })
    let ping_count = 0
    mute.on('ping', () => (ping_count += 1))
    await once(mute, 'close')
    expect(ping_count).toBeGreaterThan(2)
    expect(answering.socket.readyState).toBe(WebSocket.OPEN)
    await strict.stop()
    expect(await answering.closed).toBe(1006)
  })

  test('it is closed at the end of its lifetime', async () => {
    const short = await startExchange({ port: 0, source: SIM, limits: { socket_life_ms: 200 } })
    const client = await connect(`${short.ws_url}/public/ws/btcusdt@bookTicker`)
    expect(await client.closed).toBe(1001)
    expect(client.frames.length).toBeGreaterThan(0)
    await short.stop()
  })

  test('a simulation disconnects a client that does not read', async () => {
    const busy = await startExchange({ port: 0, source: { ...SIM, events_per_s: 300_000 } })
    const client = await connect(
      `${busy.ws_url}/public/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker`,
    )
    client.socket.pause()
    await until(() => busy.status().socket_count === 0)
    expect(busy.ledger().streams[0]!.sent_count).toBeGreaterThan(10_000)
    await client.close()
    await busy.stop()
  })

  test('an unknown path gets 404', async () => {
    for (const path of ['/', '/private/ws/x', '/public', '/public/streams']) {
      await expect(connect(`${server.ws_url}${path}`)).rejects.toThrow('404')
    }
  })
})

test('socket paths', () => {
  for (const [url, expected] of [
    [
      '/public/stream?streams=a@x/b@y',
      { route: 'public', combined: true, streams: ['a@x', 'b@y'] },
    ],
    ['/market/ws/a@x/b@y/a@x', { route: 'market', combined: false, streams: ['a@x', 'b@y'] }],
    ['/stream', { route: 'public', combined: true, streams: [] }],
    ['/ws/', { route: 'public', combined: false, streams: [] }],
    ['/ws/%E0%A4%A', undefined],
    ['/wss/a', undefined],
  ] as const) {
    expect(parseSocketPath(url), url).toEqual(expected)
  }
})
