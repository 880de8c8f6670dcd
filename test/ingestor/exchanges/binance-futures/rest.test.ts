import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import type { StreamChoice } from '../../../../ingestor/exchanges/adapter.ts'
import { binance_futures } from '../../../../ingestor/exchanges/binance-futures/adapter.ts'

const TS_INGEST = micros(1_785_000_000_123_456)
const AGG: StreamChoice = { channels: ['trades'], trade_stream: 'aggTrade' }
const RAW: StreamChoice = { channels: ['trades'], trade_stream: 'trade' }
const PATH = '/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=26129'

function parseRest(path: string, body: unknown, choice = AGG): unknown {
  return binance_futures.parseRest(path, JSON.stringify(body), TS_INGEST, choice)
}

function parseLive(payload: unknown, choice: StreamChoice): unknown {
  return binance_futures.parse(Buffer.from(JSON.stringify(payload)), TS_INGEST, choice)
}

test('a refilled aggregated trade equals the event of the live stream', () => {
  const ids = { a: 26129, f: 27781, l: 27783, T: 1568014460893 }
  const trade = { p: '0.01', q: '4.7', nq: '4.5', m: true, ...ids }
  const live = { e: 'aggTrade', E: 1568014460993, s: 'BTCUSDT', ...trade, st: 1 }
  expect(parseRest(PATH, [trade])).toEqual(parseLive(live, AGG))
})

test('a refilled raw trade equals the event of the live stream', () => {
  const answer = [
    {
      id: 7,
      price: '0.01',
      qty: '4.7',
      quoteQty: '0.047',
      time: 1568014460893,
      isBuyerMaker: false,
    },
  ]
  const stamps = { E: 1568014460994, T: 1568014460893 }
  const fill = { s: 'BTCUSDT', t: 7, p: '0.01', q: '4.7', X: 'MARKET', m: false }
  const live = { e: 'trade', ...stamps, ...fill }
  for (const endpoint of ['trades', 'historicalTrades']) {
    expect(parseRest(`/fapi/v1/${endpoint}?symbol=BTCUSDT`, answer, RAW)).toEqual(
      parseLive(live, RAW),
    )
  }
})

for (const [name, path, body, expected] of [
  ['no trades at all', PATH, [], { kind: 'events', events: [] }],
  ['an error object', PATH, { code: -1121, msg: 'Invalid symbol.' }, { kind: 'control' }],
  ['a path without a symbol', '/fapi/v1/aggTrades', [], { kind: 'rejected', reason: 'bad_symbol' }],
  ['a list of numbers', PATH, [1], { kind: 'rejected', reason: 'unknown_shape' }],
  [
    'an object instead of a list',
    PATH,
    { trades: [] },
    { kind: 'rejected', reason: 'unknown_shape' },
  ],
  ['one bad trade among good ones', PATH, [{ a: 1 }], { kind: 'rejected', reason: 'bad_field' }],
  [
    'a path that we never request',
    '/fapi/v1/unheardOf',
    [],
    { kind: 'rejected', reason: 'unknown_shape' },
  ],
  ['a snapshot', '/fapi/v1/depth?symbol=BTCUSDT', {}, { kind: 'ignored', stream_class: 'depth' }],
  ['a listing', '/fapi/v1/exchangeInfo', {}, { kind: 'ignored', stream_class: 'exchangeInfo' }],
] as const) {
  test(`an answer with ${name} is a value`, () => {
    expect(parseRest(path, body)).toMatchObject(expected)
  })
}

test('an answer cut in the middle is rejected, not thrown', () => {
  const parsed = binance_futures.parseRest(PATH, '[{"a":1,', TS_INGEST, AGG)
  expect(parsed).toMatchObject({ kind: 'rejected', reason: 'not_json' })
})

const LISTED = {
  symbol: 'BTCUSDT',
  pair: 'BTCUSDT',
  contractType: 'PERPETUAL',
  status: 'TRADING',
  baseAsset: 'BTC',
  quoteAsset: 'USDT',
  filters: [
    { filterType: 'LOT_SIZE', stepSize: '0.001', minQty: '0.001' },
    { filterType: 'PRICE_FILTER', tickSize: '0.10' },
  ],
}

test('the listing gives type, activity and steps; an entry that cannot be used is left out', () => {
  const listing = {
    rateLimits: [],
    symbols: [
      LISTED,
      { ...LISTED, symbol: 'BTCUSDT_260925', contractType: 'CURRENT_QUARTER' },
      { ...LISTED, symbol: 'OLDUSDT', status: 'SETTLING' },
      { ...LISTED, symbol: 'GOLDUSDT', contractType: 'TRADIFI_PERPETUAL' },
      { ...LISTED, symbol: 'NO FILTERS', filters: [] },
      { ...LISTED, symbol: 'NOSTEPUSDT', filters: [LISTED.filters[1]] },
      {
        ...LISTED,
        symbol: 'ZEROUSDT',
        filters: [LISTED.filters[0], { filterType: 'PRICE_FILTER', tickSize: '0' }],
      },
      null,
      17,
    ],
  }
  const { instruments, left_out } = binance_futures.parseInstruments(JSON.stringify(listing))
  expect(left_out).toHaveLength(listing.symbols.length - instruments.length)
  expect(instruments.map((one) => [one.symbol, one.instrument_type, one.is_active])).toEqual([
    ['BTCUSDT', 'perp', true],
    ['BTCUSDT_260925', 'future', true],
    ['OLDUSDT', 'perp', false],
    ['GOLDUSDT', 'perp', true],
  ])
  expect(instruments[0]).toEqual({
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    instrument_type: 'perp',
    base_asset: 'BTC',
    quote_asset: 'USDT',
    is_active: true,
    tick_size: 0.1,
    step_size: 0.001,
  })
})
