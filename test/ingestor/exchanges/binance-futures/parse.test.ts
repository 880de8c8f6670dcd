import { describe, expect, test } from 'vitest'
import type { MarketEvent } from '#core/market.ts'
import { micros } from '#core/time.ts'
import type { Parsed, StreamChoice } from '../../../../ingestor/exchanges/adapter.ts'
import { binance_futures } from '../../../../ingestor/exchanges/binance-futures/adapter.ts'
import { FEEDS_DIR, frames2026, recordedFrames } from '../recordings.ts'

const TS_INGEST = micros(1_785_000_000_123_456)
const AGG: StreamChoice = { channels: ['book_ticker', 'trades'], trade_stream: 'aggTrade' }
const RAW: StreamChoice = { channels: ['book_ticker', 'trades'], trade_stream: 'trade' }
const RAW_AND_BOOK: StreamChoice = { ...RAW, channels: [...RAW.channels, 'depth_events'] }

const QUOTE = {
  e: 'bookTicker',
  u: 400900217,
  s: 'BTCUSDT',
  b: '25.35190000',
  B: '31.21000000',
  a: '25.36520000',
  A: '40.66000000',
  T: 1568014460891,
  E: 1568014460893,
}
const FILL = {
  e: 'trade',
  E: 1568014460893,
  T: 1568014460891,
  s: 'BTCUSDT',
  t: 7,
  p: '25.36520000',
  q: '1',
  X: 'MARKET',
  m: true,
}

function parse(payload: unknown, choice = AGG): Parsed {
  return binance_futures.parse(Buffer.from(JSON.stringify(payload)), TS_INGEST, choice)
}

function eventOf(parsed: Parsed): MarketEvent {
  if (parsed.kind !== 'events' || parsed.events.length !== 1)
    throw new Error(JSON.stringify(parsed))
  return parsed.events[0]!
}

for (const [name, change, reason, detail] of [
  ['an id as text', { u: '1' }, 'bad_field', 'u: expected a whole number, found "1"'],
  ['a missing id', { u: undefined }, 'bad_field', 'u: expected a whole number, found nothing'],
  ['a negative id', { u: -1 }, 'out_of_range', 'found -1'],
  ['half an id', { u: 1.5 }, 'out_of_range', 'found 1.5'],
  ['an id beyond the exact doubles', { u: 2 ** 53 }, 'out_of_range', 'found 9007199254740992'],
  ['a price as a number', { b: 25.3 }, 'bad_field', 'b: expected a decimal number as text'],
  ['a negative quantity', { B: '-1' }, 'out_of_range', 'B: expected'],
  ['an exponent without digits', { A: '1e' }, 'bad_field', 'A: expected'],
  ['an exponent beyond every double', { A: '1e400' }, 'out_of_range', 'A: expected'],
  ['a price that a double cannot tell from 0', { b: '1e-400' }, 'out_of_range', 'b: expected'],
  ['NaN', { A: 'NaN' }, 'bad_field', 'A: expected'],
  ['white space around a price', { a: ' 1' }, 'bad_field', 'a: expected'],
  ['a line feed after a price', { a: '1\n' }, 'bad_field', 'a: expected'],
  ['a price of 400 digits', { a: '9'.repeat(400) }, 'out_of_range', 'a: expected'],
  ['seconds instead of milliseconds', { T: 1568014460 }, 'out_of_range', 'T: expected'],
  ['microseconds instead of milliseconds', { T: 1568014460891000 }, 'out_of_range', 'T: expected'],
  ['a missing time', { T: undefined }, 'bad_field', 'T: expected'],
  ['a symbol with a space', { s: 'BTC USDT' }, 'bad_symbol', 's: expected a symbol'],
  ['a symbol with a slash', { s: 'BTC/USDT' }, 'bad_symbol', 's: expected a symbol'],
  ['a symbol of dots', { s: '..' }, 'bad_symbol', 's: expected a symbol'],
  ['an empty symbol', { s: '' }, 'bad_symbol', 's: expected a symbol'],
  ['a symbol of 65 letters', { s: 'A'.repeat(65) }, 'bad_symbol', 's: expected a symbol'],
  ['an unknown event type', { e: 'auctionUpdate' }, 'unknown_shape', 'auctionUpdate'],
] as const) {
  test(`a quote with ${name} is rejected as ${reason}`, () => {
    const parsed = parse({ stream: 'btcusdt@bookTicker', data: { ...QUOTE, ...change } })
    expect(parsed).toMatchObject({ kind: 'rejected', reason })
    expect(parsed.kind === 'rejected' && parsed.detail).toContain(detail)
  })
}

for (const [name, change, bid, ask] of [
  ['a bid of zeros', { b: '0.0000', B: '0' }, [null, null], [25.3652, 40.66]],
  ['a bid without a quantity', { B: '0.000' }, [null, null], [25.3652, 40.66]],
  ['a quantity without an ask', { a: '0' }, [25.3519, 31.21], [null, null]],
  ['an ask of empty texts', { a: '', A: '' }, [25.3519, 31.21], [null, null]],
  ['nothing on either side', { b: '0', B: '0', a: '0', A: '0' }, [null, null], [null, null]],
] as const) {
  test(`a quote with ${name} is a quote, the empty side null`, () => {
    expect(eventOf(parse({ ...QUOTE, ...change }))).toMatchObject({
      update_id: QUOTE.u,
      best_bid: bid[0],
      bid_qty: bid[1],
      best_ask: ask[0],
      ask_qty: ask[1],
    })
  })
}

test('the detail of a rejection is short, however long the value', () => {
  const parsed = parse({ ...QUOTE, s: 'x'.repeat(100_000) })
  expect(parsed.kind === 'rejected' && parsed.detail.length).toBeLessThanOrEqual(80)
})

test('combined and bare frames, known and unknown fields give the same event', () => {
  const combined = eventOf(parse({ stream: 'btcusdt@bookTicker', data: { ...QUOTE, future: [1] } }))
  expect(eventOf(parse(QUOTE))).toEqual(combined)
  expect(combined).toEqual({
    kind: 'book_ticker',
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    ts_exchange: 1568014460891000,
    ts_ingest: TS_INGEST,
    update_id: 400900217,
    best_bid: 25.3519,
    bid_qty: 31.21,
    best_ask: 25.3652,
    ask_qty: 40.66,
  })
})

for (const [name, change] of [
  ['of the insurance fund', { X: 'INSURANCE_FUND', p: '0', q: '0' }],
  ['by auto-deleveraging, with a real price', { X: 'ADL' }],
  ['of no price', { p: '0.00' }],
  ['of no quantity', { q: '0' }],
] as const) {
  test(`a fill ${name} keeps its id in the sequence and makes no trade`, () => {
    expect(eventOf(parse({ ...FILL, ...change }, RAW))).toEqual({
      kind: 'void_trade',
      exchange: 'binance-futures',
      symbol: 'BTCUSDT',
      ts_exchange: 1568014460891000,
      ts_ingest: TS_INGEST,
      agg_trade_id: 7,
    })
  })
}

test('a fill without the field X, as older recordings have it, is a trade', () => {
  const { X: _, ...older } = FILL
  expect(eventOf(parse(older, RAW))).toMatchObject({
    kind: 'trade',
    agg_trade_id: 7,
    price: 25.3652,
  })
})

test('trades of the other class are ignored by name', () => {
  expect(parse(FILL, AGG)).toEqual({ kind: 'ignored', stream_class: 'trade' })
  expect(parse({ ...FILL, e: 'aggTrade' }, RAW)).toEqual({
    kind: 'ignored',
    stream_class: 'aggTrade',
  })
  expect(parse(QUOTE, { channels: ['trades'], trade_stream: 'trade' })).toEqual({
    kind: 'ignored',
    stream_class: 'bookTicker',
  })
})

test('coin-margined frames are left out, by field or by name, unless they are chosen', () => {
  for (const coin_m of [
    { ...QUOTE, st: 2 },
    { ...QUOTE, s: 'BTCUSD_PERP' },
    { ...QUOTE, s: 'ETHUSD_260925' },
  ]) {
    expect(parse(coin_m)).toEqual({ kind: 'ignored', stream_class: 'coin_m' })
    const { s: symbol } = coin_m
    expect(eventOf(parse(coin_m, { ...AGG, include_coin_m: true }))).toMatchObject({ symbol })
  }
  for (const symbol of ['BTCUSDT_260925', '1000USD_PERPUSDT']) {
    expect(eventOf(parse({ ...QUOTE, s: symbol }))).toMatchObject({ symbol })
  }
})

test('invalid UTF-8 is rejected even in a field that we do not read', () => {
  const frame = Buffer.from(JSON.stringify({ ...QUOTE, note: 'X' }))
  frame[frame.lastIndexOf('X')] = 0xff
  expect(binance_futures.parse(frame, TS_INGEST, AGG)).toMatchObject({ reason: 'not_json' })
})

describe.skipIf(FEEDS_DIR === undefined)('recordings (skipped without FEEDS_DIR)', () => {
  test('BTCUSDT 2024: every frame is a quote, a trade or a diff, with unbroken ids', () => {
    const counts: Record<string, number> = {}
    const trade_ids: number[] = []
    for (const frame of recordedFrames('binance-usdm-btcusdt-20240808')) {
      const parsed = binance_futures.parse(frame, TS_INGEST, RAW_AND_BOOK)
      const kind = parsed.kind === 'events' ? parsed.events[0]!.kind : parsed.kind
      counts[kind] = (counts[kind] ?? 0) + 1
      const event = parsed.kind === 'events' ? parsed.events[0] : undefined
      if (event?.kind === 'trade') trade_ids.push(event.agg_trade_id)
    }
    expect(trade_ids).toEqual(trade_ids.map((_, index) => trade_ids[0]! + index))
    expect(counts).toEqual({ book_ticker: 66_089, trade: 21_313, depth: 6_551 })
  })

  test('frames of 2026: the new fields are read or tolerated, none is rejected', () => {
    const parsed = frames2026().map((frame) => binance_futures.parse(frame, TS_INGEST, AGG))
    expect(parsed.filter((one) => one.kind === 'rejected')).toEqual([])
    const trades = parsed.flatMap((one) => (one.kind === 'events' ? one.events : []))
    expect(trades.map((event) => event.kind).toSorted()).toEqual([
      'book_ticker',
      'trade',
      'trade',
      'trade',
    ])
    expect(trades).toContainEqual(
      expect.objectContaining({ agg_trade_id: 3404749954, qty: 0.002, non_rpi_qty: 0.002 }),
    )
  })
})
