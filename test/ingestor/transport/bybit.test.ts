/** What only Bybit needs: its pings, topics already subscribed, listings in pages. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import type { ExchangeAdapter, StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { bybit_linear } from '../../../ingestor/exchanges/bybit-linear/adapter.ts'
import { readListing } from '../../../ingestor/listing.ts'
import { listenOnce } from '../../../ingestor/transport/listen-once.ts'
import { createRequests } from '../../../ingestor/transport/requests.ts'
import { createClock } from '../../../ingestor/transport/clock.ts'
import { createRestClient } from '../../../ingestor/transport/rest-client.ts'
import { createTransport } from '../../../ingestor/transport/transport.ts'
import { FakeTimers } from './fake-timers.ts'
import { sleep, until } from './harness.ts'

const CHOICE: StreamChoice = { channels: bybit_linear.channels, trade_stream: 'aggTrade' }

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function simulated(symbols: number, limits = {}): Promise<ExchangeServer> {
  const source = { kind: 'sim', seed: 7, symbols, events_per_s: 200 } as const
  const exchange = await startExchange({ port: 0, source, limits })
  stops.push(() => exchange.stop())
  return exchange
}

function listen(exchange: ExchangeServer, adapter: ExchangeAdapter, symbols: readonly string[]) {
  const losses: string[] = []
  const topics = new Set<string | undefined>()
  const transport = createTransport({
    adapter,
    ws_url: exchange.ws_url,
    symbols,
    choice: CHOICE,
    log: silentLogger,
    settings: { tick_ms: 20, backoff_base_ms: 20 },
    onFrame: (_connection, topic) => topics.add(topic),
    onLost: (cause, streams) => losses.push(...streams.map(({ name }) => `${cause} ${name}`)),
  })
  stops.push(() => transport.stop())
  return { transport, losses, topics }
}

test("a socket is kept alive by the exchange's kind of pings, and lost without them", async () => {
  const exchange = await simulated(2, { bybit_quiet_limit_ms: 2_000 })
  const { text } = bybit_linear.keepalive!
  const faithful = { ...bybit_linear, keepalive: { text, interval_s: 0.1 } }
  const silent = { ...bybit_linear, keepalive: { text, interval_s: 60 } }
  const kept = listen(exchange, faithful, ['BTCUSDT'])
  const lost = listen(exchange, silent, ['BTCUSDT'])
  await Promise.all([kept.transport.start(), lost.transport.start()])
  await until('the silent one is cut', () => lost.losses.length === 5)
  await sleep(500)
  expect(kept.losses).toEqual([])
  expect(kept.transport.status().state).toBe('live')
})

test('one wrong topic costs one stream, although the exchange refuses the whole request', async () => {
  const exchange = await simulated(3)
  const { transport, topics } = listen(exchange, bybit_linear, ['BTCUSDT', 'NOPEUSDT', 'ETHUSDT'])
  await transport.start()
  const { streams } = transport.status()
  const refused = streams.filter((stream) => stream.refusal !== null)
  expect(refused.map(({ name, refusal }) => `${name} ${refusal}`)).toEqual(
    bybit_linear
      .groups('ws://x', ['NOPEUSDT'], CHOICE)[0]!
      .streams.map(({ name }) => `${name} error:handler not found,topic:${name}`),
  )
  expect(streams.filter((stream) => stream.is_covered).length).toBe(10)
  await until(
    'quotes and books came',
    () => topics.has('orderbook.50.ETHUSDT') && topics.has('orderbook.1.BTCUSDT'),
  )
})

test('a topic that is already subscribed counts as acknowledged once it was requested alone', () => {
  const timers = new FakeTimers()
  const sent: { req_id: string; args: string[] }[] = []
  const heard: string[] = []
  const requests = createRequests({
    adapter: bybit_linear,
    timers,
    ack_timeout_ms: 1_000,
    send: (text) => sent.push(JSON.parse(text) as (typeof sent)[number]),
    onAcknowledged: (streams) => heard.push(`yes ${streams.join(' ')}`),
    onRefused: (stream, detail) => heard.push(`no ${stream}: ${detail}`),
    onTimeout: () => heard.push('timeout'),
  })
  requests.add('subscribe', ['a', 'b'])
  requests.start()
  const answerAll = (is_held: boolean): void => {
    timers.advance(1_000)
    for (const { req_id } of sent.splice(0)) {
      requests.answer({ kind: 'refused', id: Number(req_id), detail: 'x', is_held })
    }
  }
  answerAll(true)
  expect(heard).toEqual([])
  answerAll(true)
  expect(heard).toEqual(['yes a', 'yes b'])
  expect(requests.is_idle).toBe(true)
})

test('a renewed socket takes over without losing a stream', async () => {
  const exchange = await simulated(3)
  const limits = { ...bybit_linear.limits, socket_life_s: 1 }
  const { transport, losses } = listen(exchange, { ...bybit_linear, limits }, [
    'BTCUSDT',
    'ETHUSDT',
  ])
  await transport.start()
  const [first] = transport.status().sockets
  await until('another socket records', () => {
    const [current, successor] = transport.status().sockets
    return current!.connection !== first!.connection && successor === undefined
  })
  expect(losses).toEqual([])
})

test('listenOnce resolves once every stream has delivered, and leaves no socket behind', async () => {
  const exchange = await simulated(30)
  const symbols = (await listingOf(exchange)).instruments.map(({ symbol }) => symbol)
  const frames = new Map<string | undefined, string>()
  const spoke = await listenOnce(
    {
      adapter: bybit_linear,
      ws_url: exchange.ws_url,
      symbols: [...symbols, 'NOPEUSDT'],
      choice: { ...CHOICE, channels: ['depth_events'] },
      log: silentLogger,
      onFrame: (_connection, topic, frame) => {
        if (!frames.has(topic)) frames.set(topic, frame.toString())
      },
    },
    new AbortController().signal,
  )
  expect(spoke.toSorted()).toEqual(symbols.toSorted())
  for (const symbol of symbols) {
    expect(frames.get(`orderbook.50.${symbol}`)).toContain('"type":"snapshot"')
  }
  await until('its sockets are gone', () => exchange.status().socket_count === 0)
})

test('a listing in pages is read to its end, and recorded as one answer', async () => {
  const exchange = await simulated(30)
  const small = (path: string | undefined) => path?.replace('limit=1000', 'limit=7')
  const paged: ExchangeAdapter = {
    ...bybit_linear,
    instruments_path: small(bybit_linear.instruments_path)!,
    nextInstrumentsPath: (body) => small(bybit_linear.nextInstrumentsPath!(body)),
  }
  const whole = await listingOf(exchange)
  const { answer, instruments } = await listingOf(exchange, paged)
  expect(whole.instruments.length).toBe(30)
  expect(instruments).toEqual(whole.instruments)
  expect(answer.path).toBe(paged.instruments_path)
  expect((JSON.parse(answer.body) as unknown[]).length).toBe(5)
  expect(paged.parseInstruments(answer.body).instruments).toEqual(instruments)
})

test('403 requires a pause like 429, and the request is sent again', async () => {
  let asked_count = 0
  const server = createServer((_request, response) => {
    asked_count++
    response.writeHead(asked_count === 1 ? 403 : 200).end('access too frequent')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(async () => void server.close())
  const rest = createRestClient({
    clock: createClock(),
    base_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    limits: bybit_linear.rest_limits,
    log: silentLogger,
    settings: { default_block_ms: 300, backoff_base_ms: 1 },
  })
  const begun_ms = performance.now()
  await rest.get({ path: '/v5/market/time', weight: 1 })
  rest.stop()
  expect(performance.now() - begun_ms).toBeGreaterThanOrEqual(299)
  expect(asked_count).toBe(2)
})

async function listingOf(exchange: ExchangeServer, adapter: ExchangeAdapter = bybit_linear) {
  const rest = createRestClient({
    clock: createClock(),
    base_url: exchange.url,
    limits: adapter.rest_limits,
    log: silentLogger,
  })
  try {
    return await readListing(rest, adapter)
  } finally {
    rest.stop()
  }
}
