/**
 * The exchange server as Bybit: commands, topics, pings, the listing and faults over real sockets.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { OrderBook } from '#core/book.ts'
import type { Level } from '#core/market.ts'
import {
  type ExchangeOptions,
  type ExchangeServer,
  startExchange,
} from '../../../infra/exchange/server.ts'
import { connect, getJson, type TestClient, until } from './client.ts'

const closers: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const close of closers.toReversed()) await close()
})

async function exchangeOf(options: Partial<ExchangeOptions> = {}): Promise<ExchangeServer> {
  const source = { kind: 'sim', seed: 3, symbols: 5, events_per_s: 400 } as const
  const exchange = await startExchange({ port: 0, source, ...options })
  closers.push(() => exchange.stop())
  return exchange
}

async function clientOf(exchange: ExchangeServer): Promise<TestClient> {
  const client = await connect(`${exchange.ws_url}/v5/public/linear`)
  closers.push(() => client.close())
  return client
}

let next_id = 1
async function ask(client: TestClient, op: string, args?: readonly string[]): Promise<object> {
  const req_id = String(next_id++)
  client.socket.send(JSON.stringify({ op, req_id, args }))
  const answerOf = (): string | undefined =>
    client.frames.find((text) => text.includes(`"req_id":"${req_id}"`))
  await until(() => answerOf() !== undefined)
  return JSON.parse(answerOf()!) as object
}

type Fields = Readonly<Record<string, never>>
interface Frame<Data> {
  readonly topic: string
  readonly type: 'snapshot' | 'delta'
  readonly ts: number
  readonly cts?: number
  readonly data: Data
}
interface BookData {
  readonly b: readonly (readonly [string, string])[]
  readonly a: readonly (readonly [string, string])[]
  readonly u: number
}
interface TradeData {
  readonly i: string
  readonly seq: number
  readonly T: number
  readonly S: string
}

function framesOf<Data = Fields>(client: TestClient, topic: string): readonly Frame<Data>[] {
  const start = `{"topic":"${topic}"`
  return client.frames
    .filter((text) => text.startsWith(start))
    .map((text) => JSON.parse(text) as Frame<Data>)
}

const levels = (side: BookData['b']): Level[] =>
  side.map(([price, qty]) => [Number(price), Number(qty)])

const market = await exchangeOf()

test("a book starts with a snapshot, continues with consecutive ids, and equals the market's book", async () => {
  const client = await clientOf(market)
  const topic = 'orderbook.50.BTCUSDT'
  expect(await ask(client, 'subscribe', [topic])).toMatchObject({ success: true, op: 'subscribe' })
  await until(() => framesOf(client, topic).length > 10)
  const [first, ...changes] = framesOf<BookData>(client, topic).map(({ type, data }) => ({
    type,
    ...data,
  }))
  expect(first!.type).toBe('snapshot')
  expect([first!.b.length, first!.a.length]).toEqual([50, 50])
  expect(changes.map((change) => change.u)).toEqual(changes.map((_change, at) => first!.u + 1 + at))
  expect(new Set(changes.map((change) => change.type))).toEqual(new Set(['delta']))

  const book = new OrderBook()
  book.replace({ bids: levels(first!.b), asks: levels(first!.a) })
  for (const { b, a } of changes) book.apply({ bids: levels(b), asks: levels(a) })
  const late = await clientOf(market)
  await ask(late, 'subscribe', [topic])
  const whole = framesOf<BookData>(late, topic)[0]!.data
  const between = framesOf<BookData>(client, topic).map(({ data }) => data)
  for (const { u, b, a } of between) {
    if (u > changes.at(-1)!.u && u <= whole.u) book.apply({ bids: levels(b), asks: levels(a) })
  }
  expect(book.bids.top(60)).toEqual(levels(whole.b))
  expect(book.asks.top(60)).toEqual(levels(whole.a))
})

test('quotes are complete and equal the best of the book; an unchanged one repeats after 3 s', async () => {
  const exchange = await exchangeOf({
    source: { kind: 'sim', seed: 3, symbols: 2, events_per_s: 0.1 },
  })
  const client = await clientOf(exchange)
  const topic = 'orderbook.1.ETHUSDT'
  await ask(client, 'subscribe', [topic, 'orderbook.50.ETHUSDT'])
  await until(() => framesOf(client, topic).length >= 2)
  const quotes = framesOf<BookData>(client, topic)
  expect(new Set(quotes.map(({ type }) => type))).toEqual(new Set(['snapshot']))
  const [first, second] = quotes.map(({ data }) => data)
  expect(second!.u).toBe(first!.u)
  const [book] = framesOf<BookData>(client, 'orderbook.50.ETHUSDT').map(({ data }) => data)
  expect([first!.b, first!.a]).toEqual([book!.b.slice(0, 1), book!.a.slice(0, 1)])
})

test('each trade has a UUID; the trades of an order share its sequence number', async () => {
  const client = await clientOf(market)
  const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
  await ask(
    client,
    'subscribe',
    symbols.map((symbol) => `publicTrade.${symbol}`),
  )
  const all = () =>
    symbols
      .flatMap((symbol) => framesOf<readonly TradeData[]>(client, `publicTrade.${symbol}`))
      .flatMap(({ data }) => data)
  await until(() => all().length > 50)
  const trades = all()
  expect(new Set(trades.map(({ i }) => i)).size).toBe(trades.length)
  for (const { i, S } of trades) {
    expect(i).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-9[0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(['Buy', 'Sell']).toContain(S)
  }
})

test('a ticker starts with a snapshot and continues with changes', async () => {
  const client = await clientOf(market)
  const topic = 'tickers.BTCUSDT'
  await ask(client, 'subscribe', [topic])
  const deltas = (): readonly Frame<Fields>[] =>
    framesOf(client, topic).filter(({ type }) => type === 'delta')
  await until(() => deltas().filter(({ data }) => 'markPrice' in data).length >= 2)
  const [first] = framesOf(client, topic)
  expect(first!.type).toBe('snapshot')
  expect(Object.keys(first!.data)).toEqual(
    expect.arrayContaining(['symbol', 'markPrice', 'indexPrice', 'fundingRate', 'nextFundingTime']),
  )
  expect(deltas().some(({ data }) => 'nextFundingTime' in data)).toBe(false)
})

test('an invalid request is refused as a whole, with the reason', async () => {
  const client = await clientOf(market)
  market.setFaults({ faults: [{ kind: 'refuse_streams', streams: 'tickers.BTCUSDT' }] })
  expect(await ask(client, 'subscribe', ['tickers.BTCUSDT'])).toMatchObject({
    success: false,
    ret_msg: 'error:handler not found,topic:tickers.BTCUSDT',
  })
  market.setFaults({ faults: [] })
  expect(await ask(client, 'subscribe', ['tickers.BTCUSDT', 'tickers.NOPEUSDT'])).toMatchObject({
    success: false,
    ret_msg: 'error:handler not found,topic:tickers.NOPEUSDT',
  })
  expect(await ask(client, 'subscribe', ['tickers.BTCUSDT'])).toMatchObject({ success: true })
  expect(await ask(client, 'subscribe', ['tickers.ETHUSDT', 'tickers.BTCUSDT'])).toMatchObject({
    success: false,
    ret_msg: 'error:already subscribed,topic:tickers.BTCUSDT',
  })
  expect(await ask(client, 'dance', [])).toMatchObject({ success: false })
  expect(await ask(client, 'subscribe', [])).toMatchObject({ success: false })
  expect(
    await ask(
      client,
      'subscribe',
      Array.from({ length: 900 }, (_, at) => `tickers.A${at}LONGERTHANMOST`),
    ),
  ).toMatchObject({
    success: false,
    ret_msg: expect.stringContaining('21000 characters') as string,
  })
  expect(await ask(client, 'unsubscribe', ['tickers.BTCUSDT'])).toMatchObject({ success: true })
  client.socket.send('{"op":')
  await until(() => client.frames.some((text) => text.includes('Params Error')))
})

test('a client that pings keeps its socket; a silent one is disconnected', async () => {
  const exchange = await exchangeOf({ limits: { bybit_quiet_limit_ms: 1_500 } })
  const faithful = await clientOf(exchange)
  const pings = setInterval(() => faithful.socket.send('{"op":"ping"}'), 50)
  const silent = await clientOf(exchange)
  expect(await silent.closed).toBe(1001)
  expect(faithful.socket.readyState).toBe(faithful.socket.OPEN)
  clearInterval(pings)
  expect(JSON.parse(faithful.frames[0]!)).toMatchObject({
    success: true,
    ret_msg: 'pong',
    op: 'ping',
  })
})

test('the listing is paged and omits delisted symbols', async () => {
  const exchange = await exchangeOf()
  exchange.setFaults({ actions: [{ kind: 'listing', symbol: 'SOLUSDT', change: 'delist' }] })
  const names: string[] = []
  let cursor = ''
  do {
    const query = `category=linear&limit=2&cursor=${encodeURIComponent(cursor)}`
    const { body } = await getJson(`${exchange.url}/v5/market/instruments-info?${query}`)
    const { result } = body as { result: { list: { symbol: string }[]; nextPageCursor: string } }
    names.push(...result.list.map(({ symbol }) => symbol))
    cursor = result.nextPageCursor
  } while (cursor !== '')
  expect(names).toEqual(['BTCUSDT', 'DOGEUSDT', 'ETHUSDT', 'XRPUSDT'])
  const { body } = await getJson(`${exchange.url}/v5/market/instruments-info?category=option`)
  expect(body).toMatchObject({ retCode: 10001 })
  expect((await getJson(`${exchange.url}/v5/market/time`)).body).toMatchObject({ retCode: 0 })
})

test('faults apply to its topics too', async () => {
  const exchange = await exchangeOf()
  const client = await clientOf(exchange)
  const topic = 'orderbook.50.BTCUSDT'
  await ask(client, 'subscribe', [topic])
  await until(() => framesOf(client, topic).length > 1)
  exchange.setFaults({ faults: [{ kind: 'drop', streams: topic, count_max: 1 }] })
  const idsOf = (): readonly number[] => framesOf<BookData>(client, topic).map(({ data }) => data.u)
  const hasGap = (): boolean => idsOf().some((u, at) => at > 0 && u !== idsOf()[at - 1]! + 1)
  await until(hasGap)
  const account = exchange.ledger().streams.find(({ stream }) => stream === topic)!
  expect(account.undelivered_count).toBe(1)
  exchange.setFaults({ actions: [{ kind: 'server_shutdown', close_after_ms: 10 }] })
  await client.closed
  expect(client.frames.join('')).not.toContain('serverShutdown')
})

test('a Bybit recording plays byte for byte, and its listing follows from its frames', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'booktape-bybit-'))
  closers.push(() => rm(dir, { recursive: true }))
  const file = join(dir, 'feed.ndjson')
  const book = (type: string, u: number): string =>
    `{"topic":"orderbook.50.BTCUSDT","type":"${type}","ts":1785000000${u},"data":{"s":"BTCUSDT","b":[["64990.80","7.794"]],"a":[],"u":${u},"seq":5},"cts":1785000000${u}}`
  const trades =
    '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1785000000200,"data":[{"T":1785000000199,"s":"BTCUSDT","S":"Buy","v":"1","p":"2","i":"x","BT":false,"seq":77}]}'
  const frames = [book('snapshot', 123), trades, book('delta', 124)]
  const lines = frames.map((data, at) =>
    JSON.stringify({ t: 'ws', ts: 1_785_000_000_300_000 + at, data }),
  )
  const header = JSON.stringify({ t: 'header', exchange: 'bybit-linear', symbols: ['BTCUSDT'] })
  await writeFile(file, [header, ...lines, ''].join('\n'))

  const exchange = await exchangeOf({ source: { kind: 'replay', files: [file], speed: 'max' } })
  const client = await clientOf(exchange)
  await ask(client, 'subscribe', ['orderbook.50.BTCUSDT', 'publicTrade.BTCUSDT'])
  exchange.startReplay()
  await until(() => exchange.status().state === 'done')
  await until(() => client.frames.length >= 4)
  expect(client.frames.slice(1)).toEqual(frames)
  expect(exchange.ledger().streams).toMatchObject([
    { stream: 'orderbook.50.BTCUSDT', sent_count: 2, first_id: 123, last_id: 124 },
    { stream: 'publicTrade.BTCUSDT', sent_count: 1, last_id: 77 },
  ])
  const { body } = await getJson(`${exchange.url}/v5/market/instruments-info?category=linear`)
  expect(body).toMatchObject({
    result: {
      list: [
        {
          symbol: 'BTCUSDT',
          priceFilter: { tickSize: '0.01' },
          lotSizeFilter: { qtyStep: '0.001' },
        },
      ],
    },
  })
})
