/** Implausible exchange times: which are accepted, and the resulting rows and gaps. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { MarketEvent } from '#core/market.ts'
import { silentLogger } from '#core/node/log.ts'
import { DAY_US, HOUR_US, micros, SECOND_US } from '#core/time.ts'
import { createBatcher } from '../../../ingestor/writer/batcher.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createTimeJudge } from '../../../ingestor/writer/plausible-times.ts'
import { createTestDatabase } from '../../support/database.ts'
import {
  CHOICE,
  diff,
  dumpGaps,
  type Entry,
  markPrice,
  quote,
  rest,
  START_MS,
  trade,
  writeTape,
} from './support.ts'

const T0 = 1_772_000_000_000_000
const YEAR_US = 365 * DAY_US
const MINUTE_US = 60 * SECOND_US

function eventAt(ts_exchange: number, ts_ingest: number): MarketEvent {
  return {
    kind: 'liquidation',
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    ts_exchange: micros(ts_exchange),
    ts_ingest: micros(ts_ingest),
    side: 'buy',
    price: 1,
    average_price: 1,
    qty: 1,
    filled_qty: 1,
  }
}

/** `+` for each accepted frame. A frame is [arrival, exchange time minus arrival]. */
function verdicts(frames: readonly (readonly [number, number])[], is_answer = false): string {
  const judge = createTimeJudge()
  return frames
    .map(([arrival, off]) =>
      judge.sift(
        { kind: 'events', events: [eventAt(T0 + arrival + off, T0 + arrival)] },
        is_answer,
      ),
    )
    .map((parsed) => (parsed.kind === 'events' ? '+' : '-'))
    .join('')
}

const steady = (off: number, count: number, from = 0, step = SECOND_US) =>
  Array.from({ length: count }, (_, index) => [from + index * step, off] as const)

describe('a time is accepted', () => {
  for (const [name, frames, expected] of [
    [
      'near its arrival, with a clock that is off by a second or two minutes',
      [
        [0, 0],
        [1, 1_270_000],
        [2, -1_270_000],
        [3, 2 * MINUTE_US],
        [4, -2 * MINUTE_US],
      ],
      '+++++',
    ],
    [
      'not days ahead, not even the first one',
      [
        [0, 2 * DAY_US],
        [1, 0],
        [2, 2 * DAY_US],
        [3, 0],
      ],
      '-+-+',
    ],
    [
      'not an hour ahead, if all others are near',
      [
        [0, 0],
        [1, HOUR_US],
        [2, 0],
      ],
      '+-+',
    ],
    [
      'late by hours, but not by days',
      [
        [0, 0],
        [1, -5 * HOUR_US],
        [2, -3 * DAY_US],
        [3, -50 * YEAR_US],
        [4, 0],
      ],
      '++--+',
    ],
    [
      'in a replay of a recording from years ago',
      [
        ...steady(-5 * YEAR_US, 10),
        [20 * SECOND_US, -5 * YEAR_US + 2 * DAY_US],
        ...steady(-5 * YEAR_US, 3, 21 * SECOND_US),
      ],
      '++++++++++-+++',
    ],
    [
      'in a replay at a hundred times the speed',
      Array.from(
        { length: 40 },
        (_, index) => [index * 1_000, -5 * YEAR_US + index * 100_000_000] as const,
      ),
      '+'.repeat(40),
    ],
    [
      'once enough frames agree that a clock has jumped',
      [...steady(0, 3), ...steady(-9 * DAY_US, 8, 10 * SECOND_US)],
      '+++----++++',
    ],
  ] as const satisfies readonly (readonly [
    string,
    readonly (readonly [number, number])[],
    string,
  ])[]) {
    test(`${name}`, () => expect(verdicts(frames)).toBe(expected))
  }
})

test('an answer may have any time in the past, but none ahead', () => {
  expect(
    verdicts(
      [
        [0, -HOUR_US],
        [1, -40 * DAY_US],
      ],
      true,
    ),
  ).toBe('++')
  const judge = createTimeJudge()
  const live = (off: number, is_answer: boolean) =>
    judge.sift({ kind: 'events', events: [eventAt(T0 + off, T0)] }, is_answer).kind
  expect([live(0, false), live(-40 * DAY_US, true)]).toEqual(['events', 'events'])
})

/** The entry with another exchange time. */
function moved(entry: Entry, by_ms: number): Entry {
  const text = entry.payload
    .toString()
    .replaceAll(
      /"([TE])":(\d{13})/g,
      (_, name: string, ms: string) => `"${name}":${Number(ms) + by_ms}`,
    )
  return { ...entry, payload: Buffer.from(text) }
}

test('frames from the day after tomorrow and from long ago are rejected with a gap and move nothing', async () => {
  const channels = ['book_ticker', 'trades', 'depth_events', 'mark_price'] as const
  const { url, pool } = await createTestDatabase()
  const days = 86_400_000
  const tape_dir = await writeTape([
    quote('BTCUSDT', 1, 0),
    trade('BTCUSDT', 10, 1),
    diff('BTCUSDT', 4, 5, 2),
    markPrice('BTCUSDT', 3),
    moved(quote('BTCUSDT', 2, 100), 2 * days),
    moved(trade('BTCUSDT', 11, 101), 2 * days),
    moved(diff('BTCUSDT', 5, 6, 102), 2 * days),
    moved(markPrice('BTCUSDT', 103), 2 * days),
    moved(trade('BTCUSDT', 12, 110), -9 * days),
    quote('BTCUSDT', 3, 200),
    trade('BTCUSDT', 13, 201),
    diff('BTCUSDT', 6, 7, 202),
    markPrice('BTCUSDT', 203),
    rest(
      300,
      '/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=11&limit=2',
      JSON.stringify(
        [11, 12].map((a) => ({
          a,
          p: '1',
          q: '1',
          f: a * 3,
          l: a * 3 + 2,
          T: START_MS + 150,
          m: false,
        })),
      ),
    ),
  ])
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  const options = {
    database_url: url,
    ingestor_id: 'test',
    tape_dir,
    choice: { ...CHOICE, channels },
    dead_letter_path,
  }
  const counts = await followToEnd({ ...options, log: silentLogger })
  expect(counts.rejected).toEqual({ implausible_time: 5 })
  expect(counts.rows).toMatchObject({ book_ticker: 2, trades: 4, depth_events: 2, mark_price: 2 })
  expect(await dumpGaps(pool)).toEqual([
    'BTCUSDT book_ticker rejected 1 3 0.200000',
    'BTCUSDT depth_events rejected 5 7 0.200000',
    'BTCUSDT mark_price rejected 0.200000',
    'BTCUSDT trades rejected 10 13 0.200000',
  ])
  const { rows } = await pool.query<{ newest: Date }>(
    'select max(ts_exchange) as newest from marketdata.stream_offsets',
  )
  expect(rows[0]!.newest.getTime()).toBe(START_MS + 203)
})

test('a frame on which our code fails is rejected with a gap, and the next ones are processed', () => {
  const batcher = createBatcher({
    from_position: 0,
    offsets: [],
    choice: { ...CHOICE, channels: ['book_ticker', 'depth_events'] },
    onRejected: () => undefined,
    books: {
      take: () => {
        throw new TypeError('a bug of ours')
      },
      noteLost: () => undefined,
    },
  })
  const record = (entry: Entry, position: number) => ({
    ...entry,
    position,
    next: position + 1,
    exchange_code: 1,
  })
  batcher.add(record(diff('BTCUSDT', 4, 5, 0), 0))
  batcher.add(record(quote('BTCUSDT', 1, 1), 1))
  const { counts } = batcher.seal(2)
  expect(counts.rejected).toEqual({ parser_failed: 1 })
  expect(counts.events.book_ticker).toBe(1)
})
