import { expect, test } from 'vitest'
import type { StreamChoice } from '../../../../ingestor/exchanges/adapter.ts'
import { binance_futures } from '../../../../ingestor/exchanges/binance-futures/adapter.ts'

const { groups, controlOf, streamOf } = binance_futures

function routes(trade_stream: 'aggTrade' | 'trade'): readonly [string, string[]][] {
  const choice: StreamChoice = { channels: ['book_ticker', 'trades'], trade_stream }
  return groups('wss://fstream.binance.com/', ['BTCUSDT'], choice).map((group) => [
    group.url,
    group.streams.map((stream) => stream.name),
  ])
}

test('quotes go to /public, aggregated trades to /market: elsewhere they stay silent', () => {
  expect(routes('aggTrade')).toEqual([
    ['wss://fstream.binance.com/public/stream', ['btcusdt@bookTicker']],
    ['wss://fstream.binance.com/market/stream', ['btcusdt@aggTrade']],
  ])
})

test('raw trades are delivered on /public', () => {
  expect(routes('trade')).toEqual([
    ['wss://fstream.binance.com/public/stream', ['btcusdt@bookTicker', 'btcusdt@trade']],
  ])
})

for (const [streams, interval_ms, expected] of [
  [['diff'], 100, ['depth@100ms']],
  [['diff'], 0, ['depth@0ms']],
  [['diff'], 250, ['depth']],
  [['partial20', 'diff'], 500, ['depth@500ms', 'depth20@500ms']],
  [['partial5'], 100, ['depth5@100ms']],
] as const) {
  test(`only books of the chosen symbols, on /public: ${streams.join(' and ')} every ${interval_ms} ms`, () => {
    const depth = { symbols: ['ETHUSDT', 'NOTRECORDED'], streams, interval_ms }
    const choice: StreamChoice = { channels: ['depth_events'], trade_stream: 'aggTrade', depth }
    const [group, ...others] = groups('wss://x', ['BTCUSDT', 'ETHUSDT'], choice)
    expect(others).toEqual([])
    expect(group?.url).toBe('wss://x/public/stream')
    expect(group?.streams.map((stream) => stream.name)).toEqual(
      expected.map((name) => `ethusdt@${name}`),
    )
  })
}

test('mark prices, forced orders and listing announcements are on /market', () => {
  const choice: StreamChoice = {
    channels: ['mark_price', 'liquidations'],
    trade_stream: 'aggTrade',
  }
  const [group, ...others] = groups('wss://x', ['BTCUSDT'], choice)
  expect(others).toEqual([])
  expect(group).toEqual({
    url: 'wss://x/market/stream',
    streams: [
      { name: 'btcusdt@markPrice@1s', symbol: 'BTCUSDT', channel: 'mark_price' },
      { name: 'btcusdt@forceOrder', symbol: 'BTCUSDT', channel: 'liquidations', is_rare: true },
    ],
    notices: ['!contractInfo'],
  })
})

for (const [name, text, expected] of [
  [
    'a listing announcement',
    '{"stream":"!contractInfo","data":{"e":"contractInfo","s":"NEWUSDT"}}',
    { kind: 'listing_changed' },
  ],
  ['an acknowledgement', '{"result":null,"id":3}', { kind: 'ack', id: 3 }],
  ['a list of subscriptions', '{"id":4,"result":["a"]}', { kind: 'ack', id: 4 }],
  [
    'an error',
    '{"error":{"code":2,"msg":"bad"},"id":5}',
    { kind: 'refused', id: 5, detail: '2: bad' },
  ],
  ['an old error', '{"code":2,"msg":"bad","id":6}', { kind: 'refused', id: 6, detail: '2: bad' }],
  [
    'an error about no request of ours',
    '{"error":"?"}',
    { kind: 'refused', id: undefined, detail: '?' },
  ],
  ['a shutdown', '{"e":"serverShutdown","E":1}', { kind: 'shutdown' }],
  [
    'a shutdown stream',
    '{"stream":"!serverShutdown","data":{"e":"serverShutdown"}}',
    { kind: 'shutdown' },
  ],
  ['a quote', '{"stream":"a","data":{"e":"bookTicker"}}', undefined],
  ['noise', '{"id":', undefined],
  ['null', 'null', undefined],
] as const) {
  test(`control: ${name}`, () => expect(controlOf(Buffer.from(text))).toEqual(expected))
}

for (const [text, expected] of [
  ['{"stream":"btcusdt@bookTicker","data":{}}', 'btcusdt@bookTicker'],
  ['{"stream":"币安usdt@trade","data":{}}', '币安usdt@trade'],
  ['{"stream":"\\u5e01usdt@trade","data":{}}', '币usdt@trade'],
  ['{"stream":"a\\"b","data":{}}', 'a"b'],
  ['{"stream":"a\\x","data":{}}', undefined],
  ['{"stream":"never ends', undefined],
  [`{"stream":"${'x'.repeat(300)}","data":{}}`, undefined],
  ['{"result":null,"id":1}', undefined],
  ['', undefined],
] as const) {
  test(`the stream of ${text.slice(0, 40)}`, () =>
    expect(streamOf(Buffer.from(text))).toBe(expected))
}
