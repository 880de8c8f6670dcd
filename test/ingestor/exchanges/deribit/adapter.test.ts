import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import type { StreamChoice } from '../../../../ingestor/exchanges/adapter.ts'
import { deribit } from '../../../../ingestor/exchanges/deribit/adapter.ts'
import { FEEDS_DIR } from '../recordings.ts'

const { groups, controlOf, streamOf, parse, parseInstruments } = deribit
const CHOICE: StreamChoice = { channels: ['prices'], trade_stream: 'aggTrade' }

test('every index is a channel of one endpoint; the busy ones have a cadence', () => {
  expect(groups('wss://www.deribit.com/', ['btc_usd', 'usdc_usd'], CHOICE)).toEqual([
    {
      url: 'wss://www.deribit.com/ws/api/v2',
      streams: [
        {
          name: 'deribit_price_index.btc_usd',
          symbol: 'btc_usd',
          channel: 'prices',
          silence_s_max: 30,
        },
        { name: 'deribit_price_index.usdc_usd', symbol: 'usdc_usd', channel: 'prices' },
      ],
    },
  ])
  expect(groups('wss://x', ['btc_usd'], { ...CHOICE, channels: ['trades'] })).toEqual([])
})

test('a new socket requests heartbeats first', () => {
  expect(deribit.opening_frames.map((text) => JSON.parse(text) as unknown)).toEqual([
    { jsonrpc: '2.0', id: 0, method: 'public/set_heartbeat', params: { interval: 30 } },
  ])
})

const TEST_CALL = '{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}'
const patience = (detail: string) => ({ kind: 'turned_away', detail, retry_after_ms: 5_000 })

for (const [name, text, expected] of [
  [
    'an acknowledgement names the accepted streams',
    '{"jsonrpc":"2.0","id":3,"result":["a"]}',
    { kind: 'ack', id: 3, accepted: ['a'] },
  ],
  ['an answer without a list', '{"jsonrpc":"2.0","id":4,"result":"ok"}', { kind: 'ack', id: 4 }],
  [
    'a refusal',
    '{"jsonrpc":"2.0","id":5,"error":{"code":-32602,"message":"Invalid params"}}',
    { kind: 'refused', id: 5, detail: '-32602: Invalid params' },
  ],
  [
    'a refusal of no request of ours',
    '{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"}}',
    { kind: 'refused', id: undefined, detail: '-32700: Parse error' },
  ],
  [
    'too many requests',
    '{"jsonrpc":"2.0","id":6,"error":{"code":10028,"message":"too_many_requests"}}',
    patience('10028: too_many_requests'),
  ],
  [
    'maintenance',
    '{"jsonrpc":"2.0","id":6,"error":{"code":11051,"message":"system_maintenance"}}',
    patience('11051: system_maintenance'),
  ],
  [
    'a test request is answered',
    '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}',
    { kind: 'reply', text: TEST_CALL },
  ],
  [
    'a heartbeat is not',
    '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}',
    undefined,
  ],
  [
    'a price',
    '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"deribit_price_index.btc_usd"}}',
    undefined,
  ],
  ['noise', '{"id":', undefined],
  ['null', 'null', undefined],
] as const) {
  test(`control: ${name}`, () => expect(controlOf(Buffer.from(text))).toEqual(expected))
}

test('an unreadable price names the stream of its gap; a frame of an unknown kind leaves no gap', () => {
  const frame = (channel: string, price: string): Buffer =>
    Buffer.from(
      `{"jsonrpc":"2.0","method":"subscription","params":{"channel":"${channel}","data":{"timestamp":1785000000123,"price":${price},"index_name":"btc_usd"}}}`,
    )
  const at = micros(1)
  expect(parse(frame('deribit_price_index.btc_usd', 'null'), at, CHOICE)).toMatchObject({
    kind: 'rejected',
    reason: 'bad_field',
    affected: { symbol: 'btc_usd', channel: 'prices' },
  })
  expect(parse(frame('deribit_price_index.btc_usd', '9e999'), at, CHOICE)).toMatchObject({
    kind: 'rejected',
    reason: 'out_of_range',
  })
  const unknown = parse(Buffer.from('{"jsonrpc":"2.0","method":"news"}'), at, CHOICE)
  expect(unknown).toMatchObject({ kind: 'rejected', reason: 'unknown_shape' })
  expect(unknown).not.toHaveProperty('affected')
})

test('the list of names has texts or objects; anything else is left out', () => {
  const { instruments, left_out } = parseInstruments(
    '{"jsonrpc":"2.0","result":["btc_usd",{"name":"usdc_usd"},"drbfix-btc_usdc","a b",7,null]}',
  )
  expect(left_out.map(({ name }) => name)).toEqual(['a b', '7', 'null'])
  expect(instruments).toMatchObject([
    {
      symbol: 'btc_usd',
      instrument_type: 'index',
      base_asset: 'BTC',
      quote_asset: 'USD',
      tick_size: null,
    },
    { symbol: 'usdc_usd', base_asset: 'USDC' },
    { symbol: 'drbfix-btc_usdc', base_asset: 'DRBFIX-BTC', quote_asset: 'USDC' },
  ])
})

const FRAMES = join(FEEDS_DIR ?? '', 'deribit-index', 'index_frames_single.jsonl')
test.skipIf(FEEDS_DIR === undefined || !existsSync(FRAMES))(
  'frames received by others parse to their price (needs FEEDS_DIR)',
  () => {
    const found = readFileSync(FRAMES, 'utf8')
      .trim()
      .split('\n')
      .map((line) => {
        const { raw } = JSON.parse(line) as { raw: unknown }
        const frame = Buffer.from(JSON.stringify(raw))
        const parsed = parse(frame, micros(1), CHOICE)
        return [streamOf(frame), parsed.kind === 'events' ? parsed.events[0] : parsed]
      })
    expect(found).toMatchObject([
      [
        'deribit_price_index.eth_usd',
        { symbol: 'eth_usd', price: 2722.4, ts_exchange: 1790165113481000 },
      ],
      [
        'deribit_price_index.btc_usd',
        { symbol: 'btc_usd', price: 36440.5, ts_exchange: 1623060194400000 },
      ],
      [
        'deribit_price_index.btc_usd',
        { symbol: 'btc_usd', price: 6521.17, ts_exchange: 1535098298227000 },
      ],
    ])
  },
)
