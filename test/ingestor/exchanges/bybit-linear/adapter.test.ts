import { expect, test } from 'vitest'
import type { StreamChoice } from '../../../../ingestor/exchanges/adapter.ts'
import { bybit_linear } from '../../../../ingestor/exchanges/bybit-linear/adapter.ts'
import { tradeNumber } from '../../../../ingestor/exchanges/bybit-linear/trade-number.ts'

const { groups, controlOf, streamOf, parseInstruments, nextInstrumentsPath } = bybit_linear
const CHOICE: StreamChoice = { channels: bybit_linear.channels, trade_stream: 'aggTrade' }

test('five topics per symbol on one endpoint; quotes have a cadence, liquidations are rare', () => {
  expect(groups('wss://stream.bybit.com/', ['BTCUSDT'], CHOICE)).toEqual([
    {
      url: 'wss://stream.bybit.com/v5/public/linear',
      streams: [
        {
          name: 'orderbook.1.BTCUSDT',
          symbol: 'BTCUSDT',
          channel: 'book_ticker',
          silence_s_max: 30,
        },
        { name: 'publicTrade.BTCUSDT', symbol: 'BTCUSDT', channel: 'trades' },
        { name: 'orderbook.50.BTCUSDT', symbol: 'BTCUSDT', channel: 'depth_events' },
        { name: 'tickers.BTCUSDT', symbol: 'BTCUSDT', channel: 'mark_price' },
        {
          name: 'allLiquidation.BTCUSDT',
          symbol: 'BTCUSDT',
          channel: 'liquidations',
          is_rare: true,
        },
      ],
    },
  ])
})

test('books only of the chosen symbols, and none if only partial books are chosen', () => {
  const depth = { symbols: ['ETHUSDT'], streams: ['diff'], interval_ms: 100 } as const
  const namesOf = (choice: StreamChoice): readonly string[] =>
    groups('wss://x', ['BTCUSDT', 'ETHUSDT'], choice).flatMap((group) =>
      group.streams.map((stream) => stream.name),
    )
  const channels = ['depth_events'] as const
  expect(namesOf({ ...CHOICE, channels, depth })).toEqual(['orderbook.50.ETHUSDT'])
  expect(namesOf({ ...CHOICE, channels, depth: { ...depth, streams: ['partial5'] } })).toEqual([])
})

const answer = (fields: object): string =>
  JSON.stringify({
    success: true,
    ret_msg: '',
    conn_id: 'c',
    req_id: '3',
    op: 'subscribe',
    ...fields,
  })

for (const [name, text, expected] of [
  ['an acknowledgement', answer({}), { kind: 'ack', id: 3 }],
  ['of unsubscribe too', answer({ op: 'unsubscribe' }), { kind: 'ack', id: 3 }],
  [
    'a refusal',
    answer({ success: false, ret_msg: 'Invalid symbol :[tickers.X]' }),
    { kind: 'refused', id: 3, detail: 'Invalid symbol :[tickers.X]', is_held: false },
  ],
  [
    'a topic that is already subscribed',
    answer({ success: false, ret_msg: 'error:already subscribed,topic:tickers.X' }),
    { kind: 'refused', id: 3, detail: 'error:already subscribed,topic:tickers.X', is_held: true },
  ],
  [
    'a refusal that names no request',
    answer({ success: false, req_id: '', ret_msg: 'Params Error' }),
    { kind: 'refused', id: undefined, detail: 'Params Error', is_held: false },
  ],
  ['a pong', answer({ op: 'ping', ret_msg: 'pong' }), undefined],
  ['an acknowledgement of no request of ours', answer({ req_id: 'x' }), undefined],
  ['data', '{"topic":"tickers.X"}', undefined],
  ['noise', '{"op":', undefined],
] as const) {
  test(`control: ${name}`, () => expect(controlOf(Buffer.from(text))).toEqual(expected))
}

for (const [name, text, expected] of [
  ['the topic first, as the exchange writes it', '{"topic":"tickers.X","type":', 'tickers.X'],
  ['the topic behind other fields', '{"ts":1,"topic":"tickers.X"}', 'tickers.X'],
  ['an escaped letter', String.raw`{"topic":"tickers.\u0058"}`, 'tickers.X'],
  ['a topic that is not a text', '{"ts":1,"topic":7}', undefined],
  ['a topic without an end', `{"topic":"${'a'.repeat(200)}`, undefined],
  ['an answer', answer({}), undefined],
  ['less than a beginning', '{"to', undefined],
] as const) {
  test(`stream: ${name}`, () => expect(streamOf(Buffer.from(text))).toBe(expected))
}

test('trade numbers: exact integers that differ if any of the first 53 random bits differs', () => {
  const numberOf = (i: string): number => tradeNumber({ i }, 'i')
  expect(numberOf('ffffffff-ffff-5fff-bfff-ffffffffffff')).toBe(Number.MAX_SAFE_INTEGER)
  expect(numberOf('00000000-0000-5000-8000-ffffffffffff')).toBe(0)
  expect(numberOf('00000000-0000-5800-8000-000000000000')).toBe(16)
  expect(numberOf('00000000-0000-5080-8000-000000000000')).toBe(1)
  expect(numberOf('00000000-0001-5000-8000-000000000000')).toBe(32)
  expect(numberOf('80000000-0000-5000-8000-000000000000')).toBe(2 ** 52)
  expect(numberOf('ABCDEF00-0000-5000-8000-000000000000')).toBe(
    numberOf('abcdef00-0000-5000-8000-000000000000'),
  )
})

const contract = (symbol: string, fields: object = {}): object => ({
  symbol,
  contractType: 'LinearPerpetual',
  status: 'Trading',
  baseCoin: symbol.slice(0, 3),
  quoteCoin: symbol.slice(3),
  priceFilter: { tickSize: '0.10' },
  lotSizeFilter: { qtyStep: '0.001' },
  ...fields,
})
const page = (list: readonly object[], nextPageCursor = ''): string =>
  JSON.stringify({ retCode: 0, retMsg: 'OK', result: { category: 'linear', list, nextPageCursor } })

test('the listing: pages are followed to the last, and read as one', () => {
  const first = page([contract('BTCUSDT')], 'first%3DBTCUSDT%26last%3DBTCUSDT')
  expect(nextInstrumentsPath!(first)).toBe(
    '/v5/market/instruments-info?category=linear&limit=1000&cursor=first%253DBTCUSDT%2526last%253DBTCUSDT',
  )
  const last = page([contract('ETHUSDT', { status: 'PreLaunch' }), contract('SOLUSDC')])
  expect(nextInstrumentsPath!(last)).toBeUndefined()
  expect(nextInstrumentsPath!('<html>')).toBeUndefined()
  expect(parseInstruments(`[${first},${last}]`).instruments).toMatchObject([
    {
      symbol: 'BTCUSDT',
      instrument_type: 'perp',
      base_asset: 'BTC',
      tick_size: 0.1,
      step_size: 0.001,
      is_active: true,
    },
    { symbol: 'ETHUSDT', is_active: false },
    { symbol: 'SOLUSDC', quote_asset: 'USDC' },
  ])
})

test('the listing: dated contracts are futures; unusable entries are left out and reported', () => {
  const odd = [
    contract('BTC-26DEC25', { contractType: 'LinearFutures' }),
    contract('NOTUSDT', { priceFilter: {} }),
    contract('OKKUSDT', { lotSizeFilter: { qtyStep: '0' } }),
    contract('A/BUSDT'),
    contract('BTCUSDT'),
  ]
  const { instruments, left_out } = parseInstruments(page(odd))
  expect(instruments.map(({ symbol, instrument_type }) => [symbol, instrument_type])).toEqual([
    ['BTC-26DEC25', 'future'],
    ['BTCUSDT', 'perp'],
  ])
  expect(left_out.map(({ name, reason }) => [name, reason.split(':')[0]])).toEqual([
    ['NOTUSDT', 'tickSize'],
    ['OKKUSDT', 'qtyStep'],
    ['A/BUSDT', 'names are letters of any script, digits, "_", "-" and ".", at most 64'],
  ])
})

test('turnover by symbol; values that are not numbers are left out', () => {
  const body = page([{ symbol: 'BTCUSDT', turnover24h: '1570383121.94' }, { symbol: 'X' }, {}])
  expect([...bybit_linear.turnover!.parse(body)]).toEqual([['BTCUSDT', 1_570_383_121.94]])
})
