import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerRest } from '../../../infra/exchange/protocol/rest.ts'
import { WeightMeter } from '../../../infra/exchange/protocol/weights.ts'
import { startExchange, type ExchangeServer } from '../../../infra/exchange/server.ts'
import type { AggTradeRow, RestSource } from '../../../infra/exchange/source.ts'
import { selectTrades } from '../../../infra/exchange/trade-range.ts'
import { TradeLog } from '../../../infra/exchange/sim/trade-log.ts'
import { getJson, type Fields } from './client.ts'

const SIM = { kind: 'sim', seed: 1, symbols: 3, events_per_s: 500 } as const

describe('over HTTP', () => {
  let server: ExchangeServer
  beforeAll(async () => {
    server = await startExchange({
      port: 0,
      source: SIM,
      limits: { weight_per_minute_max: 1_000_000 },
    })
  })
  afterAll(() => server.stop())

  test('exchangeInfo has the fields that a recorder reads', async () => {
    const { body, headers } = await getJson(`${server.url}/fapi/v1/exchangeInfo`)
    expect(Number(headers.get('x-mbx-used-weight-1m'))).toBeGreaterThan(0)
    const { symbols, rateLimits } = body as { symbols: Fields[]; rateLimits: Fields[] }
    expect(rateLimits[0]).toMatchObject({ rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE' })
    expect(symbols.map(({ symbol }) => symbol)).toEqual(['BTCUSDT', 'ETHUSDT', 'SOLUSDT'])
    expect(symbols[0]).toMatchObject({
      symbol: 'BTCUSDT',
      pair: 'BTCUSDT',
      contractType: 'PERPETUAL',
      status: 'TRADING',
      baseAsset: 'BTC',
      quoteAsset: 'USDT',
      pricePrecision: 2,
      quantityPrecision: 3,
      filters: expect.arrayContaining([
        expect.objectContaining({ filterType: 'PRICE_FILTER', tickSize: '0.10' }),
        expect.objectContaining({ filterType: 'LOT_SIZE', stepSize: '0.001' }),
      ]),
    })
  })

  test('depth returns the requested number of levels, best first', async () => {
    for (const limit of [5, 10, 20, 50, 100]) {
      const { body } = await getJson(`${server.url}/fapi/v1/depth?symbol=ETHUSDT&limit=${limit}`)
      const { bids, asks, lastUpdateId } = body as Record<'bids' | 'asks', [string, string][]> &
        Fields
      expect(Number.isSafeInteger(lastUpdateId)).toBe(true)
      expect([bids.length, asks.length]).toEqual([
        Math.min(limit, bids.length),
        Math.min(limit, asks.length),
      ])
      expect(bids.length).toBeGreaterThanOrEqual(Math.min(limit, 80))
      const prices = bids.map(([price]) => Number(price))
      expect(prices).toEqual(prices.toSorted((a, b) => b - a))
      expect(prices[0]).toBeLessThan(Number(asks[0]![0]))
    }
  })

  for (const [path, status, code] of [
    ['/fapi/v1/depth', 400, -1102],
    ['/fapi/v1/depth?symbol=', 400, -1102],
    ['/fapi/v1/depth?symbol=XYZUSDT', 400, -1121],
    ['/fapi/v1/depth?symbol=BTCUSDT&limit=7', 400, -4021],
    ['/fapi/v1/depth?symbol=BTCUSDT&limit=abc', 400, -4021],
    ['/fapi/v1/aggTrades?symbol=BTCUSDT&limit=1001', 400, -1130],
    ['/fapi/v1/aggTrades?symbol=BTCUSDT&limit=0', 400, -1130],
    ['/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=-1', 400, -1130],
    ['/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=99999999999999999999', 400, -1130],
    ['/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=1&startTime=1', 400, -1128],
    ['/fapi/v1/aggTrades?symbol=BTCUSDT&startTime=2&endTime=1', 400, -1023],
    ['/fapi/v1/aggTrades?symbol=BTCUSDT&startTime=0&endTime=3600000', 400, -1127],
    ['/fapi/v1/premiumIndex?symbol=NOPE', 400, -1121],
    ['/fapi/v1/nothing', 404, -1000],
    ['/', 404, -1000],
  ] as const) {
    test(`${path} is answered ${status} ${code}`, async () => {
      const { body, status: found } = await getJson(`${server.url}${path}`)
      expect([found, (body as Fields)['code']]).toEqual([status, code])
      expect((body as Fields)['msg']).not.toBe('')
    })
  }

  test('a POST to a market path is not allowed', async () => {
    expect((await fetch(`${server.url}/fapi/v1/ping`, { method: 'POST' })).status).toBe(405)
  })

  test('weights are those of Binance', async () => {
    const usedBy = async (path: string): Promise<number> => {
      const ping = await getJson(`${server.url}/fapi/v1/ping`)
      const { headers } = await getJson(`${server.url}${path}`)
      return (
        Number(headers.get('x-mbx-used-weight-1m')) -
        Number(ping.headers.get('x-mbx-used-weight-1m'))
      )
    }
    for (const [path, weight] of [
      ['/fapi/v1/time', 1],
      ['/fapi/v1/exchangeInfo', 1],
      ['/fapi/v1/depth?symbol=BTCUSDT&limit=50', 2],
      ['/fapi/v1/depth?symbol=BTCUSDT&limit=100', 5],
      ['/fapi/v1/depth?symbol=BTCUSDT', 10],
      ['/fapi/v1/depth?symbol=BTCUSDT&limit=1000', 20],
      ['/fapi/v1/aggTrades?symbol=BTCUSDT', 20],
      ['/fapi/v1/historicalTrades?symbol=BTCUSDT', 20],
      ['/fapi/v1/trades?symbol=BTCUSDT', 5],
      ['/fapi/v1/premiumIndex', 10],
    ] as const) {
      const used = await usedBy(path)
      // A new minute may start between the two requests.
      expect(used < 0 ? weight : used, path).toBe(weight)
    }
  })

  test('above the limit comes 429 with Retry-After, and 418 for a client that continues', async () => {
    const limits = { weight_per_minute_max: 50, refused_max: 3, ban_s: 77 }
    const strict = await startExchange({ port: 0, source: SIM, limits })
    const answers: { status: number; retry_after: string | null }[] = []
    for (let turn = 0; turn < 16; turn += 1) {
      const { status, headers } = await getJson(`${strict.url}/fapi/v1/depth?symbol=BTCUSDT`)
      answers.push({ status, retry_after: headers.get('retry-after') })
    }
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 429)).toHaveLength(3)
    expect(statuses.at(-1)).toBe(418)
    expect(Number(answers.find(({ status }) => status === 429)!.retry_after)).toBeLessThanOrEqual(
      60,
    )
    expect(Number(answers.at(-1)!.retry_after)).toBeGreaterThan(70)
    await strict.stop()
  })
})

test('weights are counted per calendar minute, and a ban outlasts it', () => {
  const meter = new WeightMeter({ weight_per_minute_max: 40, refused_max: 1, ban_s: 120 })
  expect(meter.spend(40, 30_000)).toEqual({ kind: 'ok', used_weight: 40 })
  expect(meter.spend(1, 45_500)).toMatchObject({ kind: 'refused', status: 429, retry_after_s: 15 })
  expect(meter.spend(40, 60_000)).toEqual({ kind: 'ok', used_weight: 40 })
  expect(meter.spend(1, 60_000)).toMatchObject({ status: 429, retry_after_s: 60 })
  expect(meter.spend(1, 61_000)).toMatchObject({ status: 418, retry_after_s: 120 })
  expect(meter.spend(1, 121_000)).toMatchObject({ status: 418, retry_after_s: 60 })
  expect(meter.spend(1, 181_000)).toEqual({ kind: 'ok', used_weight: 1 })
})

test('aggregated trades older than 24 hours are not returned', () => {
  const row = (T: number): AggTradeRow => ({ a: T, p: '1', q: '1', f: 1, l: 1, T, m: true })
  const now_ms = 48 * 3_600_000
  const source: RestSource = {
    nowMs: () => now_ms,
    listings: () => [
      {
        symbol: 'A',
        base_asset: '',
        quote_asset: '',
        price_decimals: 1,
        qty_decimals: 1,
        tick_size: '1',
        step_size: '1',
        is_trading: true,
      },
    ],
    depth: () => undefined,
    aggTrades: () => [row(now_ms / 2 - 1), row(now_ms / 2), row(now_ms)],
    trades: () => [],
    premiumIndex: () => undefined,
    ticker24h: () => undefined,
  }
  const answer = answerRest('/fapi/v1/aggTrades', new URLSearchParams('symbol=A'), source, 1)
  expect((answer!.body() as AggTradeRow[]).map(({ T }) => T)).toEqual([now_ms / 2, now_ms])
})

describe('selection of trades', () => {
  const ids = [10, 11, 12, 13, 14]
  const times = [100, 200, 200, 200, 300]
  const any = { from_id: undefined, from_ms: undefined, to_ms: undefined, limit: 3 }
  for (const [name, query, expected] of [
    ['the newest', {}, [12, 13, 14]],
    ['from an id', { from_id: 11 }, [11, 12, 13]],
    ['from an id before the first', { from_id: 1 }, [10, 11, 12]],
    ['from an id after the last', { from_id: 15 }, []],
    ['from a time that several trades share', { from_ms: 200 }, [11, 12, 13]],
    ['between times, inclusive', { from_ms: 100, to_ms: 100 }, [10]],
    ['up to a time, the newest ones', { to_ms: 200 }, [11, 12, 13]],
    ['between times without trades', { from_ms: 201, to_ms: 299 }, []],
  ] as const) {
    test(`a query for ${name}`, () => {
      const { start, end } = selectTrades(
        5,
        (at) => ids[at]!,
        (at) => times[at]!,
        { ...any, ...query },
      )
      expect(ids.slice(start, end)).toEqual(expected)
    })
  }
})

test('a trade log keeps its newest rows while it grows and wraps around', () => {
  const log = new TradeLog(3, 100)
  for (let id = 0; id < 1_234; id += 1) {
    log.push([id, id * 10, -id])
    const count = Math.min(id + 1, 100)
    const query = { from_id: 0, from_ms: undefined, to_ms: undefined, limit: 1_000 }
    const rows = log.select(query)
    expect(rows).toHaveLength(count)
    expect([rows[0]![0], rows.at(-1)]).toEqual([id + 1 - count, [id, id * 10, -id]])
  }
})
