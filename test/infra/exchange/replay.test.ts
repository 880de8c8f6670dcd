import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { readRecording, summariseRecording } from '../../../infra/exchange/replay/recording.ts'
import { RecordedTrades } from '../../../infra/exchange/replay/recorded-trades.ts'
import { startExchange, type ExchangeServer } from '../../../infra/exchange/server.ts'
import { connect, firstDifference, getJson, payloadsOf, until, type Fields } from './client.ts'

const dir = mkdtempSync(join(tmpdir(), 'booktape-replay-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const START_US = 1_723_161_255_000_000
const HEADER = '{"t":"header","exchange":"binance-futures","symbols":["BTCUSDT"]}'

const quote = (u: number): string =>
  `{"e":"bookTicker","u":${u},"s":"BTCUSDT","b":"58710.20","B":"0.014","a":"58710.30","A":"1.000","T":${u},"E":${u}}`
const trade = (t: number): string =>
  `{"e":"trade","E":${t},"T":${t},"s":"BTCUSDT","t":${t},"p":"58710.20","q":"0.014","X":"MARKET","m":true}`
const wrap = (stream: string, payload: string): string => `{"stream":"${stream}","data":${payload}}`

function recording(
  name: string,
  frames: readonly (readonly [offset_ms: number, frame: string])[],
  extra: readonly string[] = [],
): string {
  const lines = frames.map(([offset_ms, data]) =>
    JSON.stringify({ t: 'ws', ts: START_US + offset_ms * 1_000, data }),
  )
  const path = join(dir, name)
  writeFileSync(path, [HEADER, ...extra, ...lines].join('\n'))
  return path
}

const play = (files: readonly string[], speed: 'max' | number = 'max'): Promise<ExchangeServer> =>
  startExchange({ port: 0, source: { kind: 'replay', files, speed } })

const done = (server: ExchangeServer): Promise<void> =>
  until(() => server.status().state === 'done', 100_000)

test('nothing is sent before the start, a second start is refused, and done means sent', async () => {
  const server = await play([recording('start', [[0, wrap('btcusdt@bookTicker', quote(1))]])])
  const client = await connect(`${server.ws_url}/public/stream?streams=btcusdt@bookTicker`)
  await sleep(50)
  expect(client.frames).toEqual([])
  expect(server.status()).toMatchObject({ state: 'waiting', frames_published: 0, frames_total: 1 })
  const started = await fetch(`${server.url}/_exchange/replay/start`, { method: 'POST' })
  expect(started.status).toBe(200)
  await done(server)
  await until(() => client.frames.length === 1)
  expect((await fetch(`${server.url}/_exchange/replay/start`, { method: 'POST' })).status).toBe(409)
  await server.stop()
})

test('frames keep their bytes on /stream, lose the wrapper on /ws, and get one if they had none', async () => {
  const odd = '{"data":{"e":"bookTicker","u":3,"s":"BTCUSDT"}, "stream":"btcusdt@bookTicker"}'
  const frames = [
    wrap('btcusdt@bookTicker', ` ${quote(1)} `),
    wrap('btcusdt@bookTicker', quote(1)),
    quote(2),
    odd,
    'garbage €',
  ]
  const server = await play([
    recording(
      'bytes',
      frames.map((frame) => [0, frame] as const),
    ),
  ])
  const combined = await connect(`${server.ws_url}/public/stream?streams=btcusdt@bookTicker`)
  const raw = await connect(`${server.ws_url}/public/ws/btcusdt@bookTicker`)
  server.startReplay()
  await done(server)
  await until(() => combined.frames.length === 5 && raw.frames.length === 4)
  const [first, second, , fourth, fifth] = frames
  expect(combined.frames).toEqual([
    first,
    second,
    wrap('btcusdt@bookTicker', quote(2)),
    fourth,
    fifth,
  ])
  expect(raw.frames.map((frame) => (JSON.parse(frame) as Fields)['u'])).toEqual([1, 1, 2, 3])
  expect(raw.frames[1]).toBe(quote(1))
  expect(server.ledger()).toMatchObject({ unroutable_count: 1, unroutable_sent_count: 1 })
  await server.stop()
})

test('a truncated wrapped frame is sent as it is, to the subscriber of its stream', async () => {
  const broken = wrap('btcusdt@bookTicker', quote(2)).slice(0, 60)
  const path = recording('broken', [
    [0, wrap('btcusdt@bookTicker', quote(1))],
    [1, broken],
  ])
  const server = await play([path])
  const client = await connect(`${server.ws_url}/public/stream?streams=btcusdt@bookTicker`)
  server.startReplay()
  await done(server)
  await until(() => client.frames.length === 2)
  expect(client.frames[1]).toBe(broken)
  expect(server.ledger()).toMatchObject({ unroutable_count: 0, streams: [{ sent_count: 2 }] })
  expect(await summariseRecording(path)).toMatchObject({
    streams: { 'btcusdt@bookTicker': 2 },
    unroutable_count: 0,
  })
  await server.stop()
})

test('a depth stream matches by class at any speed, and streams of other routes stay silent', async () => {
  const depth = '{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":9,"pu":0,"b":[],"a":[]}'
  const agg =
    '{"e":"aggTrade","E":1,"a":5,"s":"BTCUSDT","p":"1.0","q":"1.0","f":1,"l":1,"T":1,"m":true}'
  const path = recording('classes', [
    [0, wrap('btcusdt@depth@0ms', depth)],
    [1, wrap('btcusdt@aggTrade', agg)],
    [2, wrap('btcusdt@bookTicker', quote(7))],
  ])
  const server = await play([path])
  const streams = 'btcusdt@depth@100ms/btcusdt@depth/btcusdt@aggTrade'
  const client = await connect(`${server.ws_url}/public/stream?streams=${streams}`)
  server.startReplay()
  await done(server)
  await sleep(50)
  expect(client.frames).toEqual([wrap('btcusdt@depth@0ms', depth)])
  const accounts = new Map(server.ledger().streams.map((account) => [account.stream, account]))
  expect(accounts.get('btcusdt@depth@0ms')).toMatchObject({
    sent_count: 1,
    last_id: 9,
    not_subscribed_count: 0,
  })
  expect(accounts.get('btcusdt@aggTrade')).toMatchObject({ sent_count: 0, not_subscribed_count: 1 })
  expect(accounts.get('btcusdt@bookTicker')).toMatchObject({
    sent_count: 0,
    not_subscribed_count: 1,
  })
  await server.stop()
})

test('ten times the speed takes a tenth of the time, and the next file starts at once', async () => {
  const one = recording('paced-1', [
    [0, quote(1)],
    [1_000, quote(2)],
    [500, quote(3)],
    [3_000, quote(4)],
  ])
  const two = recording('paced-2', [
    [86_400_000, quote(5)],
    [86_401_000, quote(6)],
  ])
  const server = await play([one, two], 10)
  const client = await connect(`${server.ws_url}/public/ws/btcusdt@bookTicker`)
  const started = performance.now()
  server.startReplay()
  await until(() => client.frames.length === 3)
  expect(performance.now() - started).toBeGreaterThan(90)
  await done(server)
  const elapsed_ms = performance.now() - started
  await until(() => client.frames.length === 6)
  expect(client.frames).toEqual([1, 2, 3, 4, 5, 6].map(quote))
  expect(elapsed_ms).toBeGreaterThan(390)
  // At original speed, the first file alone would take 4.5 s.
  expect(elapsed_ms).toBeLessThan(4_400)
  await server.stop()
})

test('REST reports an id that the recording lacks, and no response skips it', async () => {
  const insured = trade(12).replace('MARKET', 'INSURANCE_FUND')
  const frames = [trade(10), trade(11), insured, trade(13), trade(15), trade(16)]
  const server = await play([
    recording(
      'lacking',
      frames.map((frame) => [0, frame] as const),
    ),
  ])
  server.startReplay()
  await done(server)
  const ask = async (path: string): Promise<unknown> => {
    const { status, body } = await getJson(`${server.url}/fapi/v1/${path}`)
    return status === 200 ? (body as Fields[]).map(({ id }) => id) : [status, body]
  }
  const fills = (from_id: number): Promise<unknown> =>
    ask(`historicalTrades?symbol=BTCUSDT&fromId=${from_id}&limit=4`)
  const refused = (id: number): unknown => [
    404,
    { code: -1, msg: `The recording does not hold trade ${id}.` },
  ]
  expect(await fills(10)).toEqual([10, 11, 13])
  expect(await fills(12)).toEqual([13])
  expect(await fills(14)).toEqual(refused(14))
  expect(await fills(15)).toEqual([15, 16])
  expect(await fills(17)).toEqual([])
  // The recording knows nothing of ids before it.
  expect(await fills(1)).toEqual([10, 11, 13])
  await server.stop()
})

test('aggregates: an id used twice with other fills is two rows, and a skipped id is not a gap if the fills continue', () => {
  const recorded = new RecordedTrades<string>()
  // Id 6 is used twice, 8 never; 10 is missing. The trade before it comes late.
  for (const [id, first_fill, last_fill] of [
    [6, 52, 52],
    [6, 53, 55],
    [5, 50, 51],
    [7, 56, 56],
    [9, 57, 58],
    [11, 60, 60],
    [12, 61, 61],
    [6, 52, 52],
  ] as const) {
    recorded.add({ id, time_ms: id, first_fill, last_fill, row: `${id}:${first_fill}` })
  }
  const from = (from_id: number) =>
    recorded.select({ from_id, from_ms: undefined, to_ms: undefined, limit: 10 })
  expect(from(5)).toEqual(['5:50', '6:52', '6:53', '7:56', '9:57'])
  expect(from(8)).toEqual(['9:57'])
  expect(() => from(10)).toThrow('The recording does not hold trade 10.')
  expect(from(11)).toEqual(['11:60', '12:61'])
  expect(recorded.select({ from_id: undefined, from_ms: 6, to_ms: 7, limit: 2 })).toEqual([
    '6:52',
    '6:53',
  ])
})

test('REST answers from the recording, up to the current position', async () => {
  const snapshot =
    '{"lastUpdateId":9,"E":1,"T":1,"bids":[["58710.20","1.0"],["58710.10","2.0"],["1","1"],["1","1"],["1","1"],["1","1"]],"asks":[]}'
  const depth = JSON.stringify({
    t: 'rest',
    ts: START_US,
    path: '/fapi/v1/depth?symbol=BTCUSDT&limit=1000',
    data: snapshot,
  })
  const path = recording(
    'rest',
    // Trade 11 late, trade 12 twice.
    [
      [0, trade(10)],
      [0, trade(12)],
      [0, trade(11)],
      [0, trade(12)],
      [60_000, trade(13)],
    ],
    [depth],
  )
  const server = await play([path], 1)
  const historical = async (): Promise<unknown[]> => {
    const { body } = await getJson(
      `${server.url}/fapi/v1/historicalTrades?symbol=BTCUSDT&fromId=11`,
    )
    return (body as Fields[]).map(({ id, price, qty }) => [id, price, qty])
  }
  expect(await historical()).toEqual([])
  const book = (await getJson(`${server.url}/fapi/v1/depth?symbol=BTCUSDT&limit=5`)).body as Record<
    string,
    unknown[]
  >
  expect(book['lastUpdateId']).toBe(9)
  expect(book['bids']).toHaveLength(5)
  const client = await connect(`${server.ws_url}/public/ws/btcusdt@trade`)
  server.startReplay()
  await until(() => client.frames.length === 4)
  expect(await historical()).toEqual([11, 12].map((id) => [id, '58710.20', '0.014']))
  expect((await getJson(`${server.url}/fapi/v1/time`)).body).toEqual({
    serverTime: START_US / 1_000,
  })
  const { symbols } = (await getJson(`${server.url}/fapi/v1/exchangeInfo`)).body as {
    symbols: Fields[]
  }
  expect(symbols).toMatchObject([{ symbol: 'BTCUSDT', pricePrecision: 2, quantityPrecision: 3 }])
  expect((await getJson(`${server.url}/fapi/v1/premiumIndex?symbol=BTCUSDT`)).status).toBe(400)
  await server.stop()
})

test('at full speed it waits for a disconnected client, and continues where it was', async () => {
  const frames = Array.from({ length: 20_000 }, (_, index) => [index, quote(index + 1)] as const)
  const server = await play([recording('return', frames)])
  const first = await connect(`${server.ws_url}/public/ws/btcusdt@bookTicker`)
  server.startReplay()
  await until(() => first.frames.length > 100)
  await first.close()
  await sleep(200)
  expect(server.status().state).toBe('playing')
  const second = await connect(`${server.ws_url}/public/ws/btcusdt@bookTicker`)
  await done(server)
  await until(() => second.frames.at(-1) === quote(20_000))
  const [account] = server.ledger().streams
  expect(account!.sent_count + account!.undelivered_count).toBe(20_000)
  // At most what was published before the server noticed the disconnect.
  expect(account!.undelivered_count).toBe(0)
  const count = second.frames.length
  const tail = frames.slice(-count).map(([, frame]) => frame)
  expect(firstDifference(second.frames, tail)).toBe(-1)
  await server.stop()
})

test('it stops even if a client that it waits for does not read', async () => {
  const frames = Array.from(
    { length: 30_000 },
    (_, index) => [index, wrap('btcusdt@bookTicker', quote(index))] as const,
  )
  const server = await play([recording('stuck', frames)])
  const client = await connect(`${server.ws_url}/public/stream?streams=btcusdt@bookTicker`)
  client.socket.pause()
  server.startReplay()
  await until(() => server.status().frames_published > 5_000)
  await sleep(100)
  expect(server.status().state).toBe('playing')
  await server.stop()
})

test('a recording of another exchange, and one with a bad line, are refused before anything starts', async () => {
  const other = join(dir, 'other')
  writeFileSync(other, HEADER.replace('binance-futures', 'kraken'))
  await expect(play([other])).rejects.toMatchObject({ code: 'recording_of_other_exchange' })
  const good = recording('good', [[0, quote(1)]])
  const spot = join(dir, 'spot')
  writeFileSync(spot, HEADER.replace('binance-futures', 'binance-spot'))
  await expect(play([good, spot])).rejects.toThrow('of binance-spot, not of binance-futures')
  const bad = join(dir, 'bad')
  writeFileSync(bad, `${HEADER}\nnonsense`)
  await expect(play([good, bad])).rejects.toMatchObject({ code: 'recording_bad_line' })
})

const feeds = process.env['FEEDS_DIR']

describe.skipIf(feeds === undefined)(
  'recorded feeds at full speed (skipped without FEEDS_DIR)',
  () => {
    for (const [folder, public_streams, market_streams, counts] of [
      [
        'binance-usdm-btcusdt-20240808',
        ['bookTicker', 'trade', 'depth@100ms'],
        [],
        { bookTicker: 66_089, trade: 21_313, 'depth@0ms': 6_551 },
      ],
      [
        'binance-usdm-5coins-20210405',
        ['bookTicker', 'depth@100ms'],
        ['aggTrade'],
        { bookTicker: 3_424, aggTrade: 574, 'depth@100ms': 4_423 },
      ],
    ] as const) {
      test(`${folder}: a slow reader gets every frame, in order and with its bytes`, async () => {
        const file = join(feeds!, folder, 'feed.ndjson.gz')
        const server = await play([file])
        const { symbols } = (await getJson(`${server.url}/fapi/v1/exchangeInfo`)).body as {
          symbols: { symbol: string }[]
        }
        const namesOf = (classes: readonly string[]): string =>
          symbols
            .flatMap(({ symbol }) => classes.map((name) => `${symbol.toLowerCase()}@${name}`))
            .join('/')
        const slow = await connect(
          `${server.ws_url}/public/stream?streams=${namesOf(public_streams)}`,
        )
        const market = await connect(
          `${server.ws_url}/market/stream?streams=${namesOf(market_streams)}`,
        )
        server.startReplay()
        for (let turn = 0; turn < 10; turn += 1) {
          slow.socket.pause()
          await sleep(40)
          slow.socket.resume()
          await sleep(10)
        }
        await done(server)
        const expected: string[] = []
        for await (const line of readRecording(file))
          if (line.kind === 'ws') expected.push(line.data)
        await until(() => slow.frames.length + market.frames.length === expected.length)
        const isMarket = (frame: string): boolean => frame.includes('"e":"aggTrade"')
        expect(
          firstDifference(
            slow.frames,
            expected.filter((frame) => !isMarket(frame)),
          ),
        ).toBe(-1)
        expect(firstDifference(market.frames, expected.filter(isMarket))).toBe(-1)

        const sent: Record<string, number> = {}
        for (const account of server.ledger().streams) {
          expect([account.not_subscribed_count, account.undelivered_count]).toEqual([0, 0])
          const name = account.stream.slice(account.stream.indexOf('@') + 1)
          sent[name] = (sent[name] ?? 0) + account.sent_count
        }
        expect(sent).toEqual(counts)
        await server.stop()
      })
    }

    test('the trades of the recording can be fetched by id, as they were sent', async () => {
      const server = await play([join(feeds!, 'binance-usdm-5coins-20210405', 'feed.ndjson.gz')])
      const client = await connect(`${server.ws_url}/market/stream?streams=neousdt@aggTrade`)
      server.startReplay()
      await done(server)
      await until(() => client.frames.length === 180)
      const sent = payloadsOf(client, 'neousdt@aggTrade')
      const path = `/fapi/v1/aggTrades?symbol=NEOUSDT&limit=1000&fromId=${String(sent[0]!['a'])}`
      expect((await getJson(`${server.url}${path}`)).body).toEqual(
        sent.map(({ a, p, q, f, l, T, m }) => ({ a, p, q, f, l, T, m })),
      )
      await server.stop()
    })
  },
)
