import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import type { DepthStream, StreamChoice } from '../../../../ingestor/exchanges/adapter.ts'
import { binance_spot } from '../../../../ingestor/exchanges/binance-spot/adapter.ts'
import { adapterByCode, adapterFor } from '../../../../ingestor/exchanges/registry.ts'
import { FEEDS_DIR, recordedFrames } from '../recordings.ts'

const TS_INGEST = micros(1_785_000_000_123_456)
const CHOICE: StreamChoice = { channels: binance_spot.channels, trade_stream: 'aggTrade' }
const in_micros = binance_spot.in_microseconds!

for (const [streams, interval_ms, expected] of [
  [['diff'], 100, ['depth@100ms']],
  [['diff', 'partial10'], 1_000, ['depth', 'depth10']],
  [['partial5'], 100, ['depth5@100ms']],
] as const) {
  test(`one endpoint has all streams: ${streams.join(' and ')} every ${interval_ms} ms`, () => {
    const depth = { symbols: ['ETHUSDT'], streams: streams as readonly DepthStream[], interval_ms }
    expect(binance_spot.groups('wss://x/', ['BTCUSDT', 'ETHUSDT'], { ...CHOICE, depth })).toEqual([
      {
        url: 'wss://x/stream',
        streams: [
          { name: 'btcusdt@bookTicker', symbol: 'BTCUSDT', channel: 'book_ticker' },
          { name: 'ethusdt@bookTicker', symbol: 'ETHUSDT', channel: 'book_ticker' },
          { name: 'btcusdt@aggTrade', symbol: 'BTCUSDT', channel: 'trades' },
          { name: 'ethusdt@aggTrade', symbol: 'ETHUSDT', channel: 'trades' },
          ...expected.map((name) => {
            return { name: `ethusdt@${name}`, symbol: 'ETHUSDT', channel: 'depth_events' }
          }),
        ],
      },
    ])
  })
}

test('nothing to record needs no socket', () => {
  expect(binance_spot.groups('wss://x', [], CHOICE)).toEqual([])
})

const trade = (T: number): Buffer =>
  Buffer.from(
    `{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":${T},"s":"BTCUSDT","a":1,"p":"1.5","q":"2","f":1,"l":1,"T":${T},"m":true,"M":true}}`,
  )

test('microseconds are requested in the URL and over REST, and keep every digit', () => {
  expect(in_micros.groups('wss://x', ['BTCUSDT'], CHOICE)[0]?.url).toBe(
    'wss://x/stream?timeUnit=MICROSECOND',
  )
  expect(in_micros.rest_limits.headers).toEqual({ 'x-mbx-time-unit': 'MICROSECOND' })
  expect(binance_spot.rest_limits.headers).toBeUndefined()
  const parsed = in_micros.parse(trade(1_784_989_999_911_117), TS_INGEST, CHOICE)
  expect(parsed).toMatchObject({ kind: 'events', events: [{ ts_exchange: 1_784_989_999_911_117 }] })
})

for (const [unit, T] of [
  ['microsecond', 1_784_989_999_911],
  ['microsecond', 4_102_444_800_000_000],
  ['microsecond', 1_784_989_999_911_117.5],
  ['millisecond', 1_784_989_999_911_117],
  ['millisecond', 1_483_228_799_999],
] as const) {
  test(`an impossible time is refused, not guessed: ${T} in ${unit}s`, () => {
    const parsed = adapterFor('binance-spot', unit).parse(trade(T), TS_INGEST, CHOICE)
    expect(parsed).toMatchObject({
      kind: 'rejected',
      reason: 'out_of_range',
      affected: { symbol: 'BTCUSDT', channel: 'trades' },
    })
  })
}

test('each unit has a tape code, so a tape is read in the unit it was written in', () => {
  expect(adapterByCode(2)).toBe(binance_spot)
  expect(adapterByCode(12)).toBe(in_micros)
  expect(adapterFor('binance-spot')).toBe(binance_spot)
  expect(adapterFor('binance-spot', 'microsecond')).toBe(in_micros)
  expect(() => adapterFor('binance-futures', 'microsecond')).toThrow('no times in microseconds')
})

test('a listing: spot pairs with their steps; entries without steps are left out', () => {
  const filters = [
    { filterType: 'PRICE_FILTER', minPrice: '0.01', maxPrice: '1000000', tickSize: '0.01000000' },
    { filterType: 'LOT_SIZE', minQty: '0.00001', maxQty: '9000', stepSize: '0.00001000' },
  ]
  const pair = {
    symbol: 'BTCUSDT',
    status: 'TRADING',
    baseAsset: 'BTC',
    quoteAsset: 'USDT',
    filters,
  }
  const odd = { ...pair, symbol: 'ODDUSDT', filters: [] }
  const halted = { ...pair, symbol: 'OLDUSDT', status: 'BREAK' }
  const body = JSON.stringify({ timezone: 'UTC', symbols: [pair, odd, halted] })
  const expected = {
    exchange: 'binance-spot',
    symbol: 'BTCUSDT',
    instrument_type: 'spot',
    base_asset: 'BTC',
    quote_asset: 'USDT',
    is_active: true,
    tick_size: 0.01,
    step_size: 0.00001,
  }
  expect(binance_spot.parseInstruments(body).instruments).toEqual([
    expected,
    { ...expected, symbol: 'OLDUSDT', is_active: false },
  ])
})

test('24-hour turnover in quote asset', () => {
  const body = '[{"symbol":"BTCUSDT","quoteVolume":"64500000.10"},{"symbol":"X"},7]'
  expect([...binance_spot.turnover!.parse(body)]).toEqual([['BTCUSDT', 64_500_000.1]])
})

test.skipIf(FEEDS_DIR === undefined)(
  'every frame of the recording of 2021 is read (needs FEEDS_DIR)',
  () => {
    const counts: Record<string, number> = {}
    for (const frame of recordedFrames('binance-spot-3coins-20210405')) {
      const parsed = binance_spot.parse(frame, TS_INGEST, CHOICE)
      const name =
        parsed.kind === 'events'
          ? parsed.events.map((event) => event.kind).join()
          : parsed.kind === 'ignored'
            ? parsed.stream_class
            : parsed.kind
      counts[name] = (counts[name] ?? 0) + 1
    }
    expect(counts).toEqual({ depth: 2_688, trade: 1_910, kline: 118 })
  },
)
