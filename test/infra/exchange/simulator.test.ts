import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FaultDesk } from '../../../infra/exchange/faults/desk.ts'
import { ID_MODULUS } from '../../../infra/exchange/ledger.ts'
import { Hub } from '../../../infra/exchange/protocol/hub.ts'
import { startExchange, type ExchangeServer } from '../../../infra/exchange/server.ts'
import { listedSymbols, namedSymbols, UNIVERSE_SIZE } from '../../../infra/exchange/sim/listings.ts'
import { Market } from '../../../infra/exchange/sim/market.ts'
import { silentLogger } from '#core/node/log.ts'
import {
  connect,
  countOf,
  getJson,
  payloadsOf,
  until,
  type Fields,
  type TestClient,
} from './client.ts'

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', '1000PEPEUSDT']

describe('over sockets', () => {
  let server: ExchangeServer
  let quotes: TestClient
  let market: TestClient
  beforeAll(async () => {
    const source = { kind: 'sim', seed: 3, symbols: SYMBOLS, events_per_s: 3_000 } as const
    server = await startExchange({ port: 0, source })
    const names = SYMBOLS.map((symbol) => symbol.toLowerCase())
    const classes = ['bookTicker', 'depth@100ms', 'depth', 'depth5@100ms', 'depth20@500ms', 'trade']
    const streams = names.flatMap((name) =>
      classes.map((stream_class) => `${name}@${stream_class}`),
    )
    quotes = await connect(`${server.ws_url}/public/stream?streams=${streams.join('/')}`)
    const market_streams = names.flatMap((name) => [`${name}@aggTrade`, `${name}@markPrice@1s`])
    market = await connect(`${server.ws_url}/market/stream?streams=${market_streams.join('/')}`)
  })
  afterAll(() => server.stop())

  for (const speed of ['depth@100ms', 'depth']) {
    test(`a book kept by Binance's procedure over ${speed} has the best quote of every update`, async () => {
      const compare = async (symbol: string): Promise<void> => {
        const name = symbol.toLowerCase()
        await until(() => countOf(quotes, `${name}@${speed}`) > 2)
        const { body } = await getJson(`${server.url}/fapi/v1/depth?symbol=${symbol}&limit=1000`)
        const snapshot = body as Snapshot
        const wanted = countOf(quotes, `${name}@${speed}`) + 12
        await until(() => countOf(quotes, `${name}@${speed}`) > wanted)
        const compared = compareBook(
          snapshot,
          payloadsOf(quotes, `${name}@${speed}`),
          payloadsOf(quotes, `${name}@bookTicker`),
        )
        expect(compared.diff_count).toBeGreaterThan(10)
        expect(compared.quote_count).toBeGreaterThan(10)
      }
      await Promise.all(SYMBOLS.map(compare))
    })
  }

  test('partial books are the top of the same book, and quotes are never crossed', async () => {
    await until(() => countOf(quotes, 'btcusdt@depth20@500ms') > 4)
    const best = new Map(
      payloadsOf(quotes, 'btcusdt@bookTicker').map((quote) => [quote['u'], quote]),
    )
    expect(best.size).toBeGreaterThan(1_000)
    let compared_count = 0
    for (const [stream, level_count] of [
      ['btcusdt@depth5@100ms', 5],
      ['btcusdt@depth20@500ms', 20],
    ] as const) {
      const books = payloadsOf<Diff>(quotes, stream)
      expect(books.slice(1).map(({ pu }) => pu)).toEqual(books.slice(0, -1).map(({ u }) => u))
      for (const { u, b, a } of books) {
        expect([b.length, a.length]).toEqual([level_count, level_count])
        const quote = best.get(u)
        if (quote === undefined) continue
        compared_count += 1
        expect([...b[0]!, ...a[0]!]).toEqual([quote['b'], quote['B'], quote['a'], quote['A']])
      }
    }
    expect(compared_count).toBeGreaterThan(5)
    for (const quote of best.values()) expect(Number(quote['b'])).toBeLessThan(Number(quote['a']))
  })

  test('aggregates sum up to the raw trades, with consecutive ids', async () => {
    await until(() => countOf(market, 'btcusdt@aggTrade') > 300)
    const trades = new Map(
      payloadsOf(quotes, 'btcusdt@trade').map((trade) => [Number(trade['t']), trade]),
    )
    const [first_trade] = trades.keys()
    const aggs = payloadsOf<AggTrade>(market, 'btcusdt@aggTrade')
    expect(aggs.slice(1).map(({ a, f }) => [a, f])).toEqual(
      aggs.slice(0, -1).map(({ a, l }) => [a + 1, l + 1]),
    )
    let compared_count = 0
    for (const agg of aggs) {
      const { f, l, T, E } = agg
      expect(E).toBeGreaterThanOrEqual(T)
      // The two sockets may have started at different trades.
      if (first_trade === undefined || f < first_trade || !trades.has(l)) continue
      compared_count += 1
      let steps = 0
      for (let id = f; id <= l; id += 1) {
        const trade = trades.get(id)!
        expect([trade['p'], trade['m']]).toEqual([agg.p, agg.m])
        expect(T - Number(trade['T'])).toBeLessThanOrEqual(100)
        steps += Math.round(Number(trade['q']) * 1_000)
      }
      expect(steps).toBe(Math.round(Number(agg.q) * 1_000))
      expect(Number(agg.nq)).toBeLessThanOrEqual(Number(agg.q))
    }
    expect(compared_count).toBeGreaterThan(200)
  })

  test('REST returns every sent trade, field for field', async () => {
    await until(() => countOf(market, 'ethusdt@aggTrade') > 200)
    const sent = payloadsOf(market, 'ethusdt@aggTrade').slice(0, 1_000)
    const path = `/fapi/v1/aggTrades?symbol=ETHUSDT&limit=1000&fromId=${String(sent[0]!['a'])}`
    const rows = (await getJson(`${server.url}${path}`)).body as Fields[]
    expect(rows.slice(0, sent.length)).toEqual(
      sent.map(({ a, p, q, nq, f, l, T, m }) => ({ a, p, q, nq, f, l, T, m })),
    )

    const trades = payloadsOf(quotes, 'ethusdt@trade').slice(0, 100)
    const from = `symbol=ETHUSDT&limit=100&fromId=${String(trades[0]!['t'])}`
    const again = (await getJson(`${server.url}/fapi/v1/historicalTrades?${from}`)).body as Fields[]
    expect(
      again.map(({ id, price, qty, time, isBuyerMaker }) => [id, price, qty, time, isBuyerMaker]),
    ).toEqual(trades.map(({ t, p, q, T, m }) => [t, p, q, T, m]))
  })

  test('mark prices come each full second and agree with the market and with REST', async () => {
    await until(() => countOf(market, 'btcusdt@markPrice@1s') > 1)
    const { body } = await getJson(`${server.url}/fapi/v1/premiumIndex?symbol=BTCUSDT`)
    const findMark = (): Fields | undefined =>
      payloadsOf(market, 'btcusdt@markPrice@1s').find(({ E }) => E === (body as Fields)['time'])
    await until(() => findMark() !== undefined)
    const mark = findMark()!
    expect(body).toMatchObject({
      markPrice: mark['p'],
      indexPrice: mark['i'],
      lastFundingRate: mark['r'],
    })
    expect(Number(mark['E']) % 1_000).toBe(0)
    const quote = payloadsOf(quotes, 'btcusdt@bookTicker').at(-1)!
    expect(Math.abs(Number(mark['p']) / Number(quote['b']) - 1)).toBeLessThan(0.001)
    expect(Number(mark['T'])).toBeGreaterThan(Number(mark['E']))
  })

  test('update ids are one increasing sequence over all symbols', () => {
    const ids = quotes.frames
      .filter((frame) => frame.includes('"e":"bookTicker"'))
      .map((frame) => Number(/"u":(\d+)/.exec(frame)![1]))
    expect(ids.length).toBeGreaterThan(3_000)
    expect(ids.every((id, index) => index === 0 || id > ids[index - 1]!)).toBe(true)
  })
})

test('the ledger equals what a client received, and counts frames without a socket', async () => {
  const source = { kind: 'sim', seed: 9, symbols: ['BTCUSDT'], events_per_s: 2_000 } as const
  const server = await startExchange({ port: 0, source })
  const first = await connect(`${server.ws_url}/public/stream?streams=btcusdt@bookTicker`)
  await until(() => first.frames.length > 500)
  // Every sent frame arrives before the acknowledgement.
  await first.ask({ method: 'UNSUBSCRIBE', params: ['btcusdt@bookTicker'], id: 1 })
  const ids = payloadsOf(first, 'btcusdt@bookTicker').map(({ u }) => Number(u))
  const [account] = server.ledger().streams
  expect(account).toMatchObject({
    stream: 'btcusdt@bookTicker',
    sent_count: ids.length,
    copy_count: ids.length,
    first_id: ids[0],
    last_id: ids.at(-1),
    id_sum_mod: ids.reduce((sum, id) => (sum + (id % ID_MODULUS)) % ID_MODULUS, 0),
    undelivered_count: 0,
  })

  await first.ask({ method: 'SUBSCRIBE', params: ['btcusdt@bookTicker'], id: 2 })
  await until(() => countOf(first, 'btcusdt@bookTicker') > ids.length + 100)
  await first.close()
  await until(() => server.ledger().streams[0]!.undelivered_count > 200)
  const second = await connect(`${server.ws_url}/public/stream?streams=btcusdt@bookTicker`)
  await until(() => second.frames.length > 10)
  const { undelivered, undelivered_count } = server.ledger().streams[0]!
  const back = Number(payloadsOf(second, 'btcusdt@bookTicker')[0]!['u'])
  const last = Number(payloadsOf(first, 'btcusdt@bookTicker').at(-1)!['u'])
  expect(undelivered).toMatchObject([
    { cause: 'no_socket', count: undelivered_count, merged: false },
  ])
  expect(undelivered[0]!.from_id).toBeGreaterThan(last)
  expect(undelivered[0]!.to_id).toBeLessThan(back)
  const { body } = await getJson(`${server.url}/_exchange/ledger`)
  expect((body as { streams: Fields[] }).streams[0]).toMatchObject({ undelivered })
  await server.stop()
})

test('an overloaded market does not fall behind the clock', async () => {
  const source = { kind: 'sim', seed: 1, symbols: 200, events_per_s: 1_000_000_000 } as const
  const server = await startExchange({ port: 0, source })
  await sleep(1_000)
  const behind_ms = async (): Promise<number> => {
    const { body } = await getJson(`${server.url}/fapi/v1/time`)
    return Math.abs(Date.now() - (body as { serverTime: number }).serverTime)
  }
  // A market that falls behind never catches up; a busy machine only delays one response.
  await expect.poll(behind_ms).toBeLessThan(500)
  await server.stop()
})

describe('the market alone', () => {
  const start_ms = Date.UTC(2026, 10, 1)
  const symbols = listedSymbols(200)

  function run(seed: number, cuts: readonly number[]): { frames: string[]; hub: Hub } {
    const faults = new FaultDesk(
      () => 0,
      () => 0,
    )
    const hub = new Hub(faults, { kind: 'wait', limit_bytes: 1 }, silentLogger)
    const frames: string[] = []
    hub.publish = (topic, _id, _ts_ms, payload) => void frames.push(`${topic.stream} ${payload}`)
    const options = { seed, symbols, events_per_s: 1_500, history_trades_max: 10_000, start_ms }
    const market = new Market(options, hub)
    const names = symbols.map(({ listing }) => listing.symbol.toLowerCase())
    const wanted = new Set(
      names.flatMap((name) => [
        ...market.topicsOf(`${name}@bookTicker`),
        ...market.topicsOf(`${name}@aggTrade`),
      ]),
    )
    hub.wantsPayload = (topic) => wanted.has(topic)
    for (const cut of cuts) market.advance(start_ms + cut, 1_000_000)
    return { frames, hub }
  }

  test('the same seed gives the same frames however time is split; another seed gives others', () => {
    const { frames } = run(5, [10_000])
    expect(
      run(
        5,
        Array.from({ length: 1_000 }, (_, index) => (index + 1) * 10),
      ).frames,
    ).toEqual(frames)
    expect(run(6, [10_000]).frames).not.toEqual(frames)
  })

  test('200 symbols: the mean rate is as set; Bitcoin has about a hundred events per second, the last symbol less than one', () => {
    const { frames } = run(7, [60_000])
    expect(frames.length / 60 / 1_500).toBeGreaterThan(0.9)
    expect(frames.length / 60 / 1_500).toBeLessThan(1.1)
    const quotesOf = (name: string): number =>
      frames.filter((frame) => frame.startsWith(`${name.toLowerCase()}@bookTicker`)).length / 60
    expect(quotesOf('BTCUSDT')).toBeGreaterThan(70)
    expect(quotesOf('BTCUSDT')).toBeLessThan(130)
    expect(quotesOf(symbols.at(-1)!.listing.symbol)).toBeLessThan(1)
  })

  test('a book joined half-way has the best quote at each of thousands of updates', () => {
    const hub = new Hub(
      new FaultDesk(
        () => 0,
        () => 0,
      ),
      { kind: 'wait', limit_bytes: 1 },
      silentLogger,
    )
    const diffs: Diff[] = []
    const quotes: Fields[] = []
    hub.publish = ({ stream }, _id, _ts_ms, payload) => {
      if (stream === 'btcusdt@bookTicker') quotes.push(JSON.parse(payload) as Fields)
      else diffs.push(JSON.parse(payload) as Diff)
    }
    const options = { seed: 11, symbols: symbols.slice(0, 2), history_trades_max: 1, start_ms }
    const market = new Market({ ...options, events_per_s: 400 }, hub)
    const wanted = new Set([
      ...market.topicsOf('btcusdt@depth@100ms'),
      ...market.topicsOf('btcusdt@bookTicker'),
    ])
    hub.wantsPayload = (topic) => wanted.has(topic)
    market.advance(start_ms + 30_050, 1_000_000)
    const snapshot = market.find('BTCUSDT')!.depth(1_000, 0)
    market.advance(start_ms + 300_000, 1_000_000)
    const compared = compareBook(snapshot, diffs, quotes)
    expect(compared.diff_count).toBeGreaterThan(2_500)
    expect(compared.quote_count).toBe(compared.diff_count)
    const final = market.find('BTCUSDT')!.depth(1_000, 0)
    expect([compared.bids, compared.asks]).toEqual([new Map(final.bids), new Map(final.asks)])
  })

  test('a market that starts later has larger ids', () => {
    const idsOf = (start: number): number[] => {
      const hub = new Hub(
        new FaultDesk(
          () => 0,
          () => 0,
        ),
        { kind: 'wait', limit_bytes: 1 },
        silentLogger,
      )
      const ids: number[] = []
      hub.publish = (_topic, id) => void ids.push(id)
      const options = {
        seed: 1,
        symbols: namedSymbols(['BTCUSDT']),
        events_per_s: 100_000,
        history_trades_max: 1,
        start_ms: start,
      }
      const market = new Market(options, hub)
      market.topicsOf('btcusdt@trade')
      market.advance(start + 1_000, 1_000_000)
      return ids
    }
    expect(idsOf(start_ms).at(-1)!).toBeLessThan(idsOf(start_ms + 1_000)[0]!)
  })

  test('every listing has a unique name, a price, and steps that divide its prices', () => {
    const all = listedSymbols(UNIVERSE_SIZE)
    expect(new Set(all.map(({ listing }) => listing.symbol)).size).toBe(UNIVERSE_SIZE)
    expect(UNIVERSE_SIZE).toBeGreaterThanOrEqual(200)
    for (const { start_units, tick_units, listing } of all) {
      expect(start_units / tick_units, listing.symbol).toBeGreaterThan(1_000)
      expect(start_units % tick_units, listing.symbol).toBe(0)
      expect(listing.tick_size).toMatch(/^0\.\d*[1-9]0?$/)
    }
    expect(all[0]!.listing).toMatchObject({
      symbol: 'BTCUSDT',
      tick_size: '0.10',
      step_size: '0.001',
    })
  })

  test('an unknown symbol also gets a market', () => {
    expect(namedSymbols(['FOOBARUSDC'])[0]).toMatchObject({
      listing: { base_asset: 'FOOBAR', quote_asset: 'USDC' },
      start_units: expect.any(Number),
    })
  })
})

interface Snapshot {
  readonly lastUpdateId: number
  readonly bids: readonly (readonly [string, string])[]
  readonly asks: readonly (readonly [string, string])[]
}

interface AggTrade extends Readonly<Record<'a' | 'f' | 'l' | 'T' | 'E', number>> {
  readonly p: string
  readonly q: string
  readonly nq: string
  readonly m: boolean
}

interface Diff {
  readonly U: number
  readonly u: number
  readonly pu: number
  readonly b: readonly (readonly [string, string])[]
  readonly a: readonly (readonly [string, string])[]
}

interface BookCheck {
  readonly diff_count: number
  readonly quote_count: number
  readonly bids: ReadonlyMap<string, string>
  readonly asks: ReadonlyMap<string, string>
}

/** Binance's documented procedure, independent of our code. */
function compareBook(
  snapshot: Snapshot,
  diffs: readonly Diff[],
  quotes: readonly Fields[],
): BookCheck {
  const bids = new Map(snapshot.bids)
  const asks = new Map(snapshot.asks)
  let next = 0
  let last_u: number | undefined
  let quote_count = 0
  let diff_count = 0
  for (const { U, u, pu, b, a } of diffs) {
    if (u < snapshot.lastUpdateId) continue
    const joins =
      last_u === undefined
        ? U <= snapshot.lastUpdateId || pu === snapshot.lastUpdateId
        : pu === last_u
    expect(joins, `the event ${U} to ${u} goes on from ${last_u ?? 'the snapshot'}`).toBe(true)
    last_u = u
    diff_count += 1
    apply(bids, b)
    apply(asks, a)
    const best_bid = Math.max(...[...bids.keys()].map(Number))
    const best_ask = Math.min(...[...asks.keys()].map(Number))
    expect(best_bid).toBeLessThan(best_ask)
    // The book must equal the newest quote up to this update.
    while (next < quotes.length && Number(quotes[next]!['u']) <= u) next += 1
    const quote = quotes[next - 1]
    if (quote === undefined) continue
    quote_count += 1
    expect([best_bid, best_ask]).toEqual([Number(quote['b']), Number(quote['a'])])
    expect([bids.get(String(quote['b'])), asks.get(String(quote['a']))]).toEqual([
      quote['B'],
      quote['A'],
    ])
  }
  return { diff_count, quote_count, bids, asks }
}

function apply(side: Map<string, string>, levels: Diff['b']): void {
  for (const [price, qty] of levels) {
    if (Number(qty) === 0) side.delete(price)
    else side.set(price, qty)
  }
}
