/** The fast parser against the reference parser, on all our frames and on damaged ones. */
import { describe, expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import type { StreamChoice } from '../../../../ingestor/exchanges/adapter.ts'
import { parseFast } from '../../../../ingestor/exchanges/binance-futures/fast.ts'
import { parseFrame } from '../../../../ingestor/exchanges/binance-futures/parse.ts'
import { frameFixtures } from '../fixtures.ts'
import { mutate, seededRandom } from '../mutate.ts'
import { FEEDS_DIR, frames2026, recordedFrames } from '../recordings.ts'

const TS_INGEST = micros(1_785_000_000_123_456)
const AGG: StreamChoice = { channels: ['book_ticker', 'trades'], trade_stream: 'aggTrade' }
const RAW: StreamChoice = { channels: ['book_ticker', 'trades'], trade_stream: 'trade' }
const BOOK: StreamChoice = {
  channels: ['depth_events'],
  trade_stream: 'trade',
  depth: { symbols: 'all', streams: ['diff', 'partial20'], interval_ms: 100 },
}
const QUOTES: StreamChoice = { channels: ['book_ticker'], trade_stream: 'trade' }
const SEED = Number(process.env['MUTATION_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
const MUTATED_FRAMES = Number(process.env['MUTATED_FRAMES'] ?? 30_000)

const fixtures = frameFixtures('binance-futures').map((fixture) => fixture.frame)

/** 1 if the fast parser handled the frame. Throws if the two differ in any bit. */
function compare(frame: Buffer, choice: StreamChoice): number {
  const fast = parseFast(frame, TS_INGEST, choice)
  if (fast === undefined) return 0
  const found = JSON.stringify(fast)
  const expected = JSON.stringify(parseFrame(frame, TS_INGEST, choice))
  if (found === expected) return 1
  throw new Error(`${frame.toString('latin1')}\n quick:    ${found}\n deciding: ${expected}`)
}

function compareAll(frames: readonly Buffer[], choice: StreamChoice): number {
  return frames.reduce((sum, frame) => sum + compare(frame, choice), 0)
}

for (const [name, b] of [
  ['a number where text belongs', '[[64000.1,"1"]]'],
  ['one number alone', '[["64000.1"]]'],
  ['three numbers', '[["64000.1","1","2"]]'],
  ['a price of 0', '[["0.00","1"]]'],
  ['a negative quantity', '[["64000.1","-1"]]'],
  ['an exponent', '[["64000.1","1e3"]]'],
  ['16 characters', '[["64000.1234567891","1"]]'],
  ['a decimal point without a fraction', '[["64000.","1"]]'],
  ['nothing between the quotes', '[["64000.1",""]]'],
  ['one comma too many', '[["64000.1","1"],]'],
  ['a level that never ends', '[["64000.1","1"'],
  ['white space between levels', '[["64000.1","1"], ["64000.0","1"]]'],
  ['levels inside levels', '[[["64000.1","1"]]]'],
] as const) {
  test(`left to the reference parser: levels with ${name}`, () => {
    const frame = (bids: string): Buffer =>
      Buffer.from(
        `{"stream":"btcusdt@depth","data":{"e":"depthUpdate","T":1785000001999,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":${bids},"a":[]}}`,
      )
    expect(compare(frame('[["64000.1","1"]]'), BOOK)).toBe(1)
    expect(compare(frame('[]'), BOOK)).toBe(1)
    expect(parseFast(frame(b), TS_INGEST, BOOK)).toBeUndefined()
  })
}

test('documented quotes, trades and books are parsed fast, combined and bare', () => {
  // bookTicker: 2021, 2026, the documented order and one-sided; aggTrade: 2021 and 2026; trade.
  expect(compareAll(fixtures, AGG)).toBe(6)
  expect(compareAll(fixtures, RAW)).toBe(5)
  expect(compareAll(fixtures, QUOTES)).toBe(4)
  // Diffs of 2021 and 2026, and the best twenty levels.
  expect(compareAll(fixtures, BOOK)).toBe(3)
  const bare = fixtures.map((frame) => {
    const { data } = JSON.parse(frame.toString('utf8')) as { data?: unknown }
    return Buffer.from(JSON.stringify(data ?? {}))
  })
  expect(compareAll(bare, AGG)).toBe(6)
  expect(compareAll(bare, RAW)).toBe(5)
})

test(`damage is never read differently (${MUTATED_FRAMES} frames)`, () => {
  const random = seededRandom(SEED)
  process.stdout.write(`fast path: seed ${SEED}\n`)
  let fast_count = 0
  for (let made = 0; made < MUTATED_FRAMES; made++) {
    const damaged = mutate(fixtures[made % fixtures.length]!, random)
    fast_count += compare(damaged, [AGG, RAW, QUOTES, BOOK][made % 4]!)
  }
  expect(fast_count).toBeGreaterThan(MUTATED_FRAMES / 200)
})

test('random decimals become the same double as with Number()', () => {
  const random = seededRandom(SEED)
  for (let made = 0; made < 20_000; made++) {
    // At most 15 characters in total, because longer ones are not parsed fast.
    const whole = Math.floor(random() * 10 ** Math.floor(random() * 7))
    const digits = Math.floor(random() * 8)
    const price = digits === 0 ? `${whole + 1}` : `${whole}.${digitsOf(digits, random)}1`
    const ids = { a: 1, f: 1, l: 1, T: 1_785_000_000_000 }
    const trade = { e: 'aggTrade', s: 'BTCUSDT', p: price, q: price, m: true, ...ids }
    const parsed = parseFast(Buffer.from(JSON.stringify(trade)), TS_INGEST, AGG)
    const event = parsed?.kind === 'events' ? parsed.events[0] : undefined
    expect(event?.kind === 'trade' ? event.price : undefined).toBe(Number(price))
  }
})

for (const [name, damage] of [
  ['white space', (text: string) => text.replace('":"', '": "')],
  ['an escaped symbol', (text: string) => text.replace('"BTCUSDT"', '"BTC\\u0055SDT"')],
  ['a duplicate key', (text: string) => text.replace('"u":', '"b":"1","u":')],
  ['an unknown key', (text: string) => text.replace('"u":', '"zz":1,"u":')],
  ['a nested value', (text: string) => text.replace('"st":1', '"st":{}')],
  ['null', (text: string) => text.replace('"st":1', '"st":null')],
  ['a leading zero', (text: string) => text.replace('"u":3', '"u":03')],
  ['a fraction where an id belongs', (text: string) => text.replace(',"s"', '.5,"s"')],
  ['an id of 16 digits', (text: string) => text.replace(/"u":\d+/, '"u":1234567890123456')],
  ['17 significant digits', (text: string) => text.replace('64000.10', '64000.123456789012')],
  ['COIN-M', (text: string) => text.replace('"st":1', '"st":2')],
  ['bytes after the end', (text: string) => `${text} `],
  ['a missing end', (text: string) => text.slice(0, -1)],
] as const) {
  test(`left to the reference parser: ${name}`, () => {
    const original = fixtures.find((frame) => frame.includes('"u":360000000123'))!
    expect(compare(original, AGG)).toBe(1)
    const damaged = Buffer.from(damage(original.toString('utf8')))
    expect(damaged.equals(original)).toBe(false)
    expect(parseFast(damaged, TS_INGEST, AGG)).toBeUndefined()
  })
}

describe.skipIf(FEEDS_DIR === undefined)('recordings (skipped without FEEDS_DIR)', () => {
  test('every recorded quote, trade and diff is parsed fast, with an equal result', () => {
    expect(compareAll(recordedFrames('binance-usdm-btcusdt-20240808'), RAW)).toBe(66_089 + 21_313)
    expect(compareAll(recordedFrames('binance-usdm-5coins-20210405'), AGG)).toBe(3_424 + 574)
    expect(compareAll(recordedFrames('binance-usdm-btcusdt-20240808'), BOOK)).toBe(6_551)
    expect(compareAll(recordedFrames('binance-usdm-5coins-20210405'), BOOK)).toBe(4_423)
  })

  test('damaged recorded frames are never read differently', () => {
    const random = seededRandom(SEED)
    const frames = [
      ...recordedFrames('binance-usdm-5coins-20210405').slice(0, 5_000),
      ...recordedFrames('binance-usdm-btcusdt-20240808').slice(0, 10_000),
      ...frames2026(),
    ]
    const damaged = frames.map((frame) => mutate(frame, random))
    const fast_count = [AGG, RAW, BOOK].reduce(
      (sum, choice) => sum + compareAll(damaged, choice),
      0,
    )
    expect(fast_count).toBeGreaterThan(frames.length / 200)
  })
})

function digitsOf(count: number, random: () => number): string {
  return Array.from({ length: count }, () => Math.floor(random() * 10)).join('')
}
