/** From marks and jumps on the tape to rows of the gap ledger. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase } from '../../support/database.ts'
import {
  appendAll,
  CHOICE,
  dumpGaps,
  type Entry,
  mark,
  openTestTape,
  quote,
  temporaryDirectory,
  text,
  trade,
  writeTape,
} from './support.ts'

const QUOTES = { symbol: 'BTCUSDT', channel: 'book_ticker' } as const
const TRADES = { symbol: 'BTCUSDT', channel: 'trades' } as const
const lost = (ms: number, cause: 'disconnect' | 'silence' | 'tape_full'): Entry =>
  mark(ms, { kind: 'deaf', cause, streams: [QUOTES, TRADES] })
const started = (ms: number): Entry => mark(ms, { kind: 'started', streams: [QUOTES, TRADES] })

function follow(database_url: string, tape_dir: string, ingestor_id = 'test') {
  return followToEnd({
    database_url,
    ingestor_id,
    tape_dir,
    choice: CHOICE,
    dead_letter_path: join(tape_dir, 'dead.ndjson'),
    log: silentLogger,
  })
}

for (const [name, entries, expected] of [
  [
    'the first start is not a gap',
    [started(0), quote('BTCUSDT', 10, 1), trade('BTCUSDT', 5, 2)],
    [],
  ],
  [
    'a lost trade is a gap with cause sequence; ids of quotes may jump',
    [
      trade('BTCUSDT', 5, 0),
      quote('BTCUSDT', 10, 1),
      quote('BTCUSDT', 90, 2),
      trade('BTCUSDT', 7, 1_000),
    ],
    ['BTCUSDT trades sequence 5 7 1.000000'],
  ],
  [
    'a disconnect is a gap in quotes, and in trades only if ids are missing',
    [
      quote('BTCUSDT', 10, 0),
      trade('BTCUSDT', 5, 0),
      lost(5, 'disconnect'),
      quote('BTCUSDT', 20, 2_000, 3),
      trade('BTCUSDT', 6, 2_000, 4),
    ],
    ['BTCUSDT book_ticker disconnect 10 20 2.000000'],
  ],
  [
    'gaps from silence and from a full tape keep their causes',
    [
      quote('BTCUSDT', 10, 0),
      lost(5, 'silence'),
      quote('BTCUSDT', 20, 1_000),
      lost(1_001, 'tape_full'),
      quote('BTCUSDT', 30, 3_000),
    ],
    ['BTCUSDT book_ticker silence 10 20 1.000000', 'BTCUSDT book_ticker tape_full 20 30 2.000000'],
  ],
  [
    'a restart is a gap of every stream that it resumes, and of no other',
    [
      quote('BTCUSDT', 10, 0),
      quote('ETHUSDT', 11, 0),
      trade('BTCUSDT', 5, 0),
      started(500),
      quote('BTCUSDT', 20, 1_000),
      quote('ETHUSDT', 21, 1_000),
      trade('BTCUSDT', 9, 1_000),
    ],
    ['BTCUSDT book_ticker restart 10 20 1.000000', 'BTCUSDT trades restart 5 9 1.000000'],
  ],
  [
    'a cut tape is a gap of every stream',
    [
      quote('BTCUSDT', 10, 0),
      quote('ETHUSDT', 11, 0),
      mark(1, { kind: 'cut', position: 0, bytes: 100 }),
      started(2),
      quote('BTCUSDT', 20, 1_000),
      quote('ETHUSDT', 21, 1_000),
    ],
    ['BTCUSDT book_ticker tape_cut 10 20 1.000000', 'ETHUSDT book_ticker tape_cut 11 21 1.000000'],
  ],
  [
    'a stream lost before its first event has a gap from its subscription on',
    [
      started(0),
      lost(500, 'disconnect'),
      quote('BTCUSDT', 20, 1_000),
      trade('BTCUSDT', 9, 1_000),
      trade('BTCUSDT', 10, 1_001),
    ],
    ['BTCUSDT book_ticker disconnect 20 0.999679', 'BTCUSDT trades disconnect 9 0.999679'],
  ],
  [
    'a restart before the first event is a gap of that stream, but not of new streams',
    [
      started(0),
      quote('BTCUSDT', 10, 1),
      started(500),
      quote('BTCUSDT', 20, 1_000),
      trade('BTCUSDT', 9, 1_000),
    ],
    ['BTCUSDT book_ticker restart 10 20 0.999000', 'BTCUSDT trades restart 9 0.999679'],
  ],
  [
    'an unreadable quote is a gap',
    [
      quote('BTCUSDT', 10, 0),
      text(1, '{"stream":"btcusdt@bookTicker","data":{"e":"bookT\u0001cker","u":11}}'),
      quote('BTCUSDT', 20, 2),
    ],
    ['BTCUSDT book_ticker rejected 10 20 0.002000'],
  ],
  [
    'an unreadable trade is a gap only where its id is missing',
    [
      trade('BTCUSDT', 5, 0),
      text(1, '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","a":null}}'),
      trade('BTCUSDT', 7, 2),
      text(3, '{"stream":"btcusdt@aggTrade","data":{'),
      trade('BTCUSDT', 8, 4),
    ],
    ['BTCUSDT trades rejected 5 7 0.002000'],
  ],
  [
    'a frame of an unknown kind costs its stream nothing',
    [
      quote('BTCUSDT', 10, 0),
      text(1, '{"stream":"btcusdt@bookTicker","data":{"e":"somethingNew"}}'),
      quote('BTCUSDT', 20, 2),
    ],
    [],
  ],
  [
    'a duplicate from a second socket neither closes nor opens a gap',
    [
      quote('BTCUSDT', 10, 0),
      quote('BTCUSDT', 10, 0, 2),
      trade('BTCUSDT', 5, 0),
      trade('BTCUSDT', 5, 0, 3),
      trade('BTCUSDT', 6, 1),
    ],
    [],
  ],
] as const satisfies readonly (readonly [string, readonly Entry[], readonly string[]])[]) {
  test(`${name}`, async () => {
    const database = await createTestDatabase()
    const tape_dir = await writeTape(entries)
    const counts = await follow(database.url, tape_dir)
    expect(await dumpGaps(database.pool)).toEqual(expected)
    expect(counts.gaps).toBe(expected.length)

    // The same frames on another ingestor's tape give the same rows of gaps.
    const again = await follow(database.url, await writeTape(entries), 'another')
    expect(await dumpGaps(database.pool)).toEqual(expected)
    expect(again.gaps).toBe(0)
  })
}

test('after a stop before its first event a stream still has the time of its subscription', async () => {
  const database = await createTestDatabase()
  const tape_dir = temporaryDirectory()
  for (const part of [[started(0)], [lost(500, 'disconnect')], [trade('BTCUSDT', 9, 1_000)]]) {
    const tape = openTestTape(tape_dir)
    appendAll(tape, part)
    await tape.close()
    await follow(database.url, tape_dir)
  }
  expect(await dumpGaps(database.pool)).toEqual(['BTCUSDT trades disconnect 9 0.999679'])
})

test('a stop between the loss of a stream and its next frame keeps the gap', async () => {
  const database = await createTestDatabase()
  const tape_dir = temporaryDirectory()
  for (const part of [
    [quote('BTCUSDT', 10, 0), trade('BTCUSDT', 5, 0)],
    [lost(5, 'disconnect')],
    [quote('BTCUSDT', 20, 1_000), trade('BTCUSDT', 9, 1_000)],
    [quote('BTCUSDT', 30, 2_000), trade('BTCUSDT', 10, 2_000)],
  ]) {
    const tape = openTestTape(tape_dir)
    appendAll(tape, part)
    await tape.close()
    await follow(database.url, tape_dir)
  }
  expect(await dumpGaps(database.pool)).toEqual([
    'BTCUSDT book_ticker disconnect 10 20 1.000000',
    'BTCUSDT trades disconnect 5 9 1.000000',
  ])
})
