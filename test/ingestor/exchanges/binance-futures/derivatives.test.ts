/** Books, mark prices and forced orders: the cases that are easy to get wrong. */
import { describe, expect, test } from 'vitest'
import { CHANNELS, type MarketEvent } from '#core/market.ts'
import { micros } from '#core/time.ts'
import type { DepthStream, Parsed, StreamChoice } from '../../../../ingestor/exchanges/adapter.ts'
import { binance_futures } from '../../../../ingestor/exchanges/binance-futures/adapter.ts'
import { FEEDS_DIR, frames2026, recordedFrames } from '../recordings.ts'

const TS_INGEST = micros(1_785_000_000_123_456)

const DIFF = {
  e: 'depthUpdate',
  E: 1785000002000,
  T: 1785000001999,
  s: 'BTCUSDT',
  U: 400,
  u: 410,
  pu: 399,
  b: [['64000.10', '0.000']],
  a: [['64000.30', '1.200']],
}
const MARK = {
  e: 'markPriceUpdate',
  E: 1785000002000,
  s: 'BTCUSDT',
  p: '64000.15',
  ap: '64000.14',
  P: '64001.0',
  i: '64002.5',
  r: '-0.00010000',
  T: 1785024000000,
}
const ORDER = {
  s: 'BTCUSDT',
  S: 'SELL',
  o: 'LIMIT',
  f: 'IOC',
  q: '0.014',
  p: '63900',
  ap: '63950',
  X: 'FILLED',
  l: '0.004',
  z: '0.010',
  T: 1785000002990,
}

function choose(...streams: readonly DepthStream[]): StreamChoice {
  const depth = { symbols: 'all', streams, interval_ms: 100 } as const
  return {
    channels: CHANNELS,
    trade_stream: 'aggTrade',
    ...(streams.length === 0 ? {} : { depth }),
  }
}

function parse(stream: string | undefined, data: unknown, choice = choose()): Parsed {
  const frame = Buffer.from(JSON.stringify(stream === undefined ? data : { stream, data }))
  return binance_futures.parse(frame, TS_INGEST, choice)
}

function eventOf(parsed: Parsed): MarketEvent | undefined {
  return parsed.kind === 'events' ? parsed.events[0] : undefined
}

for (const [name, stream, depth_kind] of [
  ['diffs', 'btcusdt@depth@100ms', 'diff'],
  ['diffs of every update', 'btcusdt@depth@0ms', 'diff'],
  ['diffs at the standard speed', 'btcusdt@depth', 'diff'],
  ['a bare frame, as of a socket with one stream', undefined, 'diff'],
  ['the best twenty', 'btcusdt@depth20@100ms', 'partial'],
] as const) {
  test(`only the stream's name tells diffs from a partial book: ${name}`, () => {
    const event = eventOf(parse(stream, DIFF, choose('diff', 'partial20')))
    const is_diff = depth_kind === 'diff'
    expect(event).toMatchObject({
      depth_kind,
      first_update_id: is_diff ? 400 : null,
      final_update_id: 410,
      prev_final_update_id: is_diff ? 399 : null,
      bids: [[64000.1, 0]],
      asks: [[64000.3, 1.2]],
      ts_exchange: 1785000001999000,
    })
  })
}

test('a depth stream that is not recorded is ignored under its name', () => {
  expect(parse('btcusdt@depth5', DIFF)).toEqual({ kind: 'ignored', stream_class: 'partial5' })
  expect(parse('btcusdt@depth@100ms', DIFF, choose('partial5'))).toEqual({
    kind: 'ignored',
    stream_class: 'depthUpdate',
  })
  const quotes: StreamChoice = { channels: ['book_ticker'], trade_stream: 'aggTrade' }
  for (const [stream, data, stream_class] of [
    ['btcusdt@depth', DIFF, 'depthUpdate'],
    ['btcusdt@markPrice', MARK, 'markPriceUpdate'],
    ['btcusdt@forceOrder', { e: 'forceOrder', E: 1, o: ORDER }, 'forceOrder'],
  ] as const) {
    expect(parse(stream, data, quotes)).toEqual({ kind: 'ignored', stream_class })
  }
})

for (const [name, change, reason] of [
  ['ids that run backwards', { U: 411 }, 'out_of_range'],
  ['a predecessor after itself', { pu: 411 }, 'out_of_range'],
  ['an id past 2^53', { u: 2 ** 53 }, 'out_of_range'],
  ['no side at all', { b: undefined }, 'bad_field'],
  ['a level that is not a pair', { b: ['64000.10'] }, 'bad_field'],
  ['a level of numbers', { b: [[64000.1, 1]] }, 'bad_field'],
  ['a negative quantity', { a: [['64000.30', '-1']] }, 'bad_field'],
  ['a price of 0', { a: [['0.00', '1']] }, 'out_of_range'],
  ['an exponent beyond every double', { a: [['1e400', '1']] }, 'out_of_range'],
] as const) {
  test(`a diff with ${name} is rejected, and names the book that lost it`, () => {
    const parsed = parse('btcusdt@depth@100ms', { ...DIFF, ...change })
    const affected = { symbol: 'BTCUSDT', channel: 'depth_events' }
    expect(parsed).toMatchObject({ kind: 'rejected', reason, affected })
  })
}

test('a bad partial book besides diffs leaves no gap in the sequence', () => {
  const bad = { ...DIFF, u: -1 }
  const parsed = parse('btcusdt@depth5@100ms', bad, choose('diff', 'partial5'))
  expect(parsed).toMatchObject({ kind: 'rejected' })
  expect(parsed).not.toHaveProperty('affected')
  expect(parse('btcusdt@depth5@100ms', bad, choose('partial5'))).toHaveProperty('affected')
})

test("the time of a mark price is the event's, not the next funding in T", () => {
  expect(eventOf(parse('btcusdt@markPrice@1s', MARK))).toEqual({
    kind: 'mark_price',
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    ts_exchange: 1785000002000000,
    ts_ingest: TS_INGEST,
    mark_price: 64000.15,
    index_price: 64002.5,
    settle_price: 64001,
    funding_rate: -0.0001,
    next_funding_at: 1785024000000000,
  })
})

test('a contract without funding has neither rate nor time; 0 means no value', () => {
  const parsed = parse('btcusdt_260925@markPrice@1s', { ...MARK, r: '', T: 0, P: '0.00', i: '0' })
  expect(eventOf(parsed)).toMatchObject({
    funding_rate: null,
    next_funding_at: null,
    settle_price: null,
    index_price: null,
  })
})

test('a partially filled forced order, with the time and side of the order', () => {
  const frame = { e: 'forceOrder', E: 1785000003000, o: ORDER }
  expect(eventOf(parse('btcusdt@forceOrder', frame))).toEqual({
    kind: 'liquidation',
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    ts_exchange: 1785000002990000,
    ts_ingest: TS_INGEST,
    side: 'sell',
    price: 63900,
    average_price: 63950,
    qty: 0.014,
    filled_qty: 0.01,
  })
  expect(parse('btcusdt@forceOrder', { ...frame, o: { ...ORDER, S: 'HOLD' } })).toMatchObject({
    reason: 'bad_field',
    affected: { channel: 'liquidations' },
  })
})

test('the universe of a forced order is inside the order', () => {
  const frame = { e: 'forceOrder', E: 1785000003000, o: { ...ORDER, st: 2 } }
  expect(parse('!forceOrder@arr', frame)).toEqual({ kind: 'ignored', stream_class: 'coin_m' })
  const asked_for = { ...choose(), include_coin_m: true }
  expect(eventOf(parse('!forceOrder@arr', frame, asked_for))).toMatchObject({ side: 'sell' })
})

test("a book from REST is a snapshot with the matching engine's time", () => {
  const path = '/fapi/v1/depth?symbol=BTCUSDT&limit=1000'
  const body = {
    lastUpdateId: 410,
    E: 1785000002000,
    T: 1785000001999,
    bids: [['64000.10', '1.5']],
    asks: [],
  }
  const parsed = binance_futures.parseRest(path, JSON.stringify(body), TS_INGEST, choose())
  expect(parsed).toEqual({
    kind: 'events',
    events: [
      {
        kind: 'depth',
        exchange: 'binance-futures',
        symbol: 'BTCUSDT',
        ts_exchange: 1785000001999000,
        ts_ingest: TS_INGEST,
        depth_kind: 'snapshot',
        first_update_id: null,
        final_update_id: 410,
        prev_final_update_id: null,
        bids: [[64000.1, 1.5]],
        asks: [],
      },
    ],
  })
  for (const [of_path, answer, reason] of [
    ['/fapi/v1/depth?limit=5', body, 'bad_symbol'],
    [path, [], 'unknown_shape'],
    [path, { ...body, lastUpdateId: '410' }, 'bad_field'],
    [path, { ...body, bids: null }, 'bad_field'],
  ] as const) {
    const refused = binance_futures.parseRest(of_path, JSON.stringify(answer), TS_INGEST, choose())
    expect(refused).toMatchObject({ kind: 'rejected', reason })
  }
})

test('turnover by symbol; an unreadable entry is left out, an invalid answer is an error', () => {
  const { parse: parseTurnover } = binance_futures.turnover!
  const body = [
    { symbol: 'BTCUSDT', quoteVolume: '12.5' },
    { symbol: 'ETHUSDT', quoteVolume: 'much' },
    { quoteVolume: '1' },
    null,
  ]
  expect([...parseTurnover(JSON.stringify(body))]).toEqual([['BTCUSDT', 12.5]])
  expect(() => parseTurnover('{"code":-1}')).toThrow('not a list of 24-hour tickers')
})

describe.skipIf(FEEDS_DIR === undefined)('recordings (skipped without FEEDS_DIR)', () => {
  for (const [folder, diff_count, one_sided_count] of [
    ['binance-usdm-btcusdt-20240808', 6_551, undefined],
    ['binance-usdm-5coins-20210405', 4_423, 884],
  ] as const) {
    test(`${folder}: every diff is read, and names the previous one`, () => {
      const last_ids = new Map<string, number>()
      let count = 0
      let one_sided = 0
      for (const frame of recordedFrames(folder)) {
        const event = eventOf(binance_futures.parse(frame, TS_INGEST, choose()))
        if (event?.kind !== 'depth') continue
        count++
        if (event.bids.length === 0 || event.asks.length === 0) one_sided++
        const before = last_ids.get(event.symbol) ?? event.prev_final_update_id
        expect(event.prev_final_update_id).toBe(before)
        last_ids.set(event.symbol, event.final_update_id)
      }
      expect(count).toBe(diff_count)
      if (one_sided_count !== undefined) expect(one_sided).toBe(one_sided_count)
    })
  }

  test('frames of 2026: books, mark prices and forced orders with their new fields', () => {
    const parsed = frames2026().map((frame) => binance_futures.parse(frame, TS_INGEST, choose()))
    expect(parsed.filter((one) => one.kind === 'rejected')).toEqual([])
    const kinds = parsed.map((one) => eventOf(one)?.kind ?? one.kind)
    const count = (kind: string): number => kinds.filter((one) => one === kind).length
    expect(count('mark_price')).toBe(3)
    expect(count('depth')).toBe(1)
    expect(count('liquidation')).toBe(1)
    const left_out = parsed.filter((one) => one.kind === 'ignored' && one.stream_class === 'coin_m')
    expect(left_out).toHaveLength(4)
  })
})
