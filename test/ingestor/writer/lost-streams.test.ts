/** The ledger's rows for lost streams that have not delivered again. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { micros } from '#core/time.ts'
import type { SymbolChannel } from '../../../ingestor/tape/record.ts'
import { BULK_LIMITS, followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { startFollower } from '../../../ingestor/writer/follower.ts'
import { fixedTapeEnd } from '../../../ingestor/writer/tape-end.ts'
import { fileEnd, listSegments } from '../../../ingestor/tape/segments.ts'
import { createTestDatabase } from '../../support/database.ts'
import {
  appendAll,
  CHOICE,
  dumpGaps,
  type Entry,
  forceOrder,
  mark,
  openTestTape,
  quote,
  rest,
  START_MS,
  temporaryDirectory,
  trade,
  writeTape,
} from './support.ts'

const QUOTES: SymbolChannel = { symbol: 'BTCUSDT', channel: 'book_ticker' }
const TRADES: SymbolChannel = { symbol: 'BTCUSDT', channel: 'trades' }
const FORCED: SymbolChannel = { symbol: 'BTCUSDT', channel: 'liquidations' }
const ETH: SymbolChannel = { symbol: 'ETHUSDT', channel: 'book_ticker' }
const CHANNELS = { ...CHOICE, channels: [...CHOICE.channels, 'liquidations' as const] }
const at = (ms: number) => micros((START_MS + ms) * 1_000)

const started = (ms: number, streams: readonly SymbolChannel[]): Entry =>
  mark(ms, { kind: 'started', is_whole: true, streams })

function follow(database_url: string, tape_dir: string, ingestor_id = 'test') {
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  return followToEnd({
    database_url,
    ingestor_id,
    tape_dir,
    choice: CHANNELS,
    dead_letter_path,
    log: silentLogger,
  })
}

/** Like a running ingestor: claims to cover its streams up to the tape's end. */
async function followLive(
  database_url: string,
  tape_dir: string,
  ingestor_id = 'test',
): Promise<void> {
  const end = fileEnd(listSegments(tape_dir).at(-1)!)
  const follower = startFollower({
    database_url,
    ingestor_id,
    tape_dir,
    end: fixedTapeEnd(end),
    choice: CHANNELS,
    limits: BULK_LIMITS,
    dead_letter_path: join(tape_dir, 'dead.ndjson'),
    live: true,
    clock: () => at(0),
    random: Math.random,
    log: silentLogger,
  })
  await follower.committed(end)
  await follower.stop()
}

/** Gaps that have not ended, times in seconds after START_MS. */
async function lostStreams(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', s.symbol, channel, cause, from_id,
       round(extract(epoch from from_ts) - $1::numeric, 3), coalesce(round(extract(epoch from to_ts) - $1::numeric, 3)::text, 'open')) as line
     from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id
     where g.id < 0 order by 1`,
    [START_MS / 1_000],
  )
  return rows.map(({ line }) => line)
}

async function append(tape_dir: string, entries: readonly Entry[]): Promise<void> {
  const tape = openTestTape(tape_dir)
  appendAll(tape, entries)
  await tape.close()
}

const LOST = [
  started(0, [QUOTES, TRADES]),
  quote('BTCUSDT', 10, 1_000),
  trade('BTCUSDT', 5, 1_000),
  mark(20_000, { kind: 'deaf', cause: 'silence', streams: [QUOTES] }),
  mark(300_000, { kind: 'deaf', cause: 'disconnect', heard_until: at(299_000), streams: [TRADES] }),
]

test('a lost stream has an open gap at once, from where it was certainly covered, even after a replay', async () => {
  const database = await createTestDatabase()
  const tape_dir = await writeTape(LOST)
  await follow(database.url, tape_dir)
  const expected = [
    'BTCUSDT book_ticker silence 10 1.000 open',
    // Its socket delivered until second 299. What was in flight for up to a minute may be lost.
    'BTCUSDT trades disconnect 5 239.000 open',
  ]
  expect(
    (await lostStreams(database.pool)).map((line) => line.replace('238.999', '239.000')),
  ).toEqual(expected)
  await database.pool.query('update marketdata.tape_positions set tape_position = 0')
  await follow(database.url, tape_dir)
  expect(
    (await lostStreams(database.pool)).map((line) => line.replace('238.999', '239.000')),
  ).toEqual(expected)
  expect(await dumpGaps(database.pool)).toEqual([])

  await append(tape_dir, [quote('BTCUSDT', 20, 400_000), trade('BTCUSDT', 6, 400_000)])
  await follow(database.url, tape_dir)
  // The trade follows the last one, so nothing was missed and the gap disappears.
  expect(await lostStreams(database.pool)).toEqual([])
  expect(await dumpGaps(database.pool)).toEqual(['BTCUSDT book_ticker silence 10 20 399.000000'])
})

test('an ingestor that is down covers its streams up to its last record, which may be a heartbeat', async () => {
  const database = await createTestDatabase()
  const tape_dir = await writeTape([
    started(0, [QUOTES, ETH]),
    quote('BTCUSDT', 10, 1_000),
    quote('ETHUSDT', 11, 600_000),
    mark(900_000, { kind: 'alive' }),
  ])
  await followLive(database.url, tape_dir)
  const [btc, eth, ...others] = await lostStreams(database.pool)
  expect(btc).toMatch(/^BTCUSDT book_ticker restart 10 (839.999|840.000) open$/)
  expect(eth).toMatch(/^ETHUSDT book_ticker restart 11 (839.999|840.000) open$/)
  expect(others).toEqual([])

  // The gaps stay the same if it restarts, reads the listing, and is killed before it subscribes.
  const listing = rest(7_190_000, '/fapi/v1/exchangeInfo', '{"symbols":[]}')
  await append(tape_dir, [listing])
  await followLive(database.url, tape_dir)
  expect(await lostStreams(database.pool)).toEqual([btc, eth])
  await append(tape_dir, [
    listing,
    started(7_200_000, [QUOTES, ETH]),
    quote('BTCUSDT', 50, 7_201_000),
  ])
  await followLive(database.url, tape_dir)
  expect(await dumpGaps(database.pool)).toEqual([
    expect.stringMatching(/^BTCUSDT book_ticker restart 10 50 636\d\./),
  ])
  // The heartbeat in this tape's last record is old.
  await database.pool.query(
    "update marketdata.tape_positions set covered_until = now() + interval '1 hour', updated_at = now() + interval '1 hour'",
  )
  expect(await lostStreams(database.pool)).toEqual([
    expect.stringMatching(/^ETHUSDT book_ticker restart 11 8/),
  ])
})

test('an import claims no coverage beyond its last event', async () => {
  const database = await createTestDatabase()
  await follow(database.url, await writeTape([started(0, [QUOTES]), quote('BTCUSDT', 10, 1_000)]))
  expect(await lostStreams(database.pool)).toEqual([])
  await database.pool.query(
    "update marketdata.tape_positions set updated_at = updated_at - interval '1 day'",
  )
  expect(await lostStreams(database.pool)).toEqual([])
})

test('a delisted symbol ends, late frames change nothing, and a relisted one is a new stream', async () => {
  const database = await createTestDatabase()
  const tape_dir = temporaryDirectory()
  await append(tape_dir, [
    started(0, [QUOTES, TRADES]),
    quote('BTCUSDT', 10, 1_000),
    trade('BTCUSDT', 500, 1_000),
    mark(20_000, { kind: 'deaf', cause: 'silence', streams: [QUOTES] }),
    mark(30_000, { kind: 'ended', streams: [QUOTES, TRADES] }),
    trade('BTCUSDT', 502, 30_001),
  ])
  await follow(database.url, tape_dir)
  const ended = [
    'BTCUSDT book_ticker delisted 10 1.000 open',
    'BTCUSDT trades delisted 500 1.000 open',
  ]
  expect(await lostStreams(database.pool)).toEqual(ended)
  await append(tape_dir, [
    mark(90_000, { kind: 'started', streams: [QUOTES, TRADES] }),
    quote('BTCUSDT', 2, 91_000),
    trade('BTCUSDT', 1, 91_000),
    trade('BTCUSDT', 2, 91_001),
  ])
  await follow(database.url, tape_dir)
  expect(await lostStreams(database.pool)).toEqual([])
  expect(await dumpGaps(database.pool)).toEqual([
    expect.stringMatching(/^BTCUSDT book_ticker delisted 89\./),
    expect.stringMatching(/^BTCUSDT trades delisted 89\./),
  ])
})

test('a stream that a restart no longer records has ended', async () => {
  const database = await createTestDatabase()
  const tape_dir = temporaryDirectory()
  await append(tape_dir, [
    started(0, [QUOTES, ETH]),
    quote('BTCUSDT', 10, 1_000),
    quote('ETHUSDT', 11, 1_000),
  ])
  await follow(database.url, tape_dir)
  await append(tape_dir, [started(5_000, [QUOTES]), quote('BTCUSDT', 12, 6_000)])
  await follow(database.url, tape_dir)
  expect(await lostStreams(database.pool)).toEqual(['ETHUSDT book_ticker delisted 11 1.000 open'])
})

test('a stream that the operator deselects has ended: late frames change nothing; after reselection the next event ends the gap', async () => {
  const database = await createTestDatabase()
  const tape_dir = temporaryDirectory()
  await append(tape_dir, [
    started(0, [QUOTES, TRADES, FORCED]),
    quote('BTCUSDT', 10, 1_000),
    trade('BTCUSDT', 500, 1_000),
    forceOrder('BTCUSDT', 1_000),
    mark(30_000, { kind: 'ended', cause: 'operator', streams: [QUOTES, TRADES, FORCED] }),
    quote('BTCUSDT', 11, 30_001),
    trade('BTCUSDT', 502, 30_001),
    mark(30_002, { kind: 'heard', connection: 1, streams: [FORCED] }),
    mark(30_003, { kind: 'newest', newest_id: 502, ts_exchange: at(30_001), streams: [TRADES] }),
  ])
  await follow(database.url, tape_dir)
  expect(
    (await lostStreams(database.pool)).map((line) => line.split(' ').slice(1, 3).join(' ')),
  ).toEqual(['book_ticker operator', 'liquidations operator', 'trades operator'])
  // A restart in between, with other streams, leaves them unchanged.
  await append(tape_dir, [
    mark(60_000, { kind: 'started', is_whole: true, listed: ['BTCUSDT'], streams: [ETH] }),
  ])
  await append(tape_dir, [
    mark(90_000, { kind: 'started', streams: [QUOTES, TRADES, FORCED] }),
    mark(91_000, { kind: 'heard', connection: 7, streams: [FORCED] }),
    quote('BTCUSDT', 20, 92_000),
    trade('BTCUSDT', 900, 93_000),
    trade('BTCUSDT', 901, 93_001),
  ])
  await follow(database.url, tape_dir)
  expect(await lostStreams(database.pool)).toEqual([])
  // Without ids, because deselected trades must not be requested.
  const { rows } = await database.pool.query(`
    select channel, cause, from_id, to_id, round(extract(epoch from to_ts - from_ts))::int as length_s
    from marketdata.gaps order by channel`)
  expect(rows).toEqual([
    { channel: 'book_ticker', cause: 'operator', from_id: null, to_id: null, length_s: 91 },
    { channel: 'liquidations', cause: 'operator', from_id: null, to_id: null, length_s: 90 },
    { channel: 'trades', cause: 'operator', from_id: null, to_id: null, length_s: 92 },
  ])
})

test('a stream that a restart no longer records was ended by the operator if it is still listed', async () => {
  const database = await createTestDatabase()
  const tape_dir = temporaryDirectory()
  const SOL: SymbolChannel = { symbol: 'SOLUSDT', channel: 'book_ticker' }
  await append(tape_dir, [
    started(0, [QUOTES, ETH, SOL]),
    quote('BTCUSDT', 10, 1_000),
    quote('ETHUSDT', 11, 1_000),
    quote('SOLUSDT', 12, 1_000),
  ])
  const listed = ['BTCUSDT', 'ETHUSDT']
  await append(tape_dir, [
    mark(5_000, { kind: 'started', is_whole: true, listed, streams: [QUOTES] }),
  ])
  await append(tape_dir, [quote('BTCUSDT', 12, 6_000)])
  await follow(database.url, tape_dir)
  expect(await lostStreams(database.pool)).toEqual([
    'ETHUSDT book_ticker operator 11 1.000 open',
    'SOLUSDT book_ticker delisted 12 1.000 open',
  ])
})

test('gaps of rare streams end as soon as they are subscribed again', async () => {
  const database = await createTestDatabase()
  const tape_dir = await writeTape([
    started(0, [FORCED]),
    forceOrder('BTCUSDT', 1_000),
    mark(3_600_000, {
      kind: 'deaf',
      cause: 'disconnect',
      heard_until: at(3_599_000),
      streams: [FORCED],
    }),
    mark(3_601_000, { kind: 'heard', streams: [FORCED] }),
    forceOrder('BTCUSDT', 9_000_000),
  ])
  await follow(database.url, tape_dir)
  expect(await lostStreams(database.pool)).toEqual([])
  // A minute for what was in flight, not the two and a half hours between the two events.
  expect(await dumpGaps(database.pool)).toEqual([
    expect.stringMatching(/^BTCUSDT liquidations disconnect 6[12]\./),
  ])
})

test('of two ingestors the one that continues ends the gap of the other, or leaves none', async () => {
  const database = await createTestDatabase()
  await followLive(
    database.url,
    await writeTape([started(0, [QUOTES]), quote('BTCUSDT', 10, 1_000)]),
    'a',
  )
  const b = await writeTape([started(60_000, [QUOTES]), quote('BTCUSDT', 20, 60_500)])
  await followLive(database.url, b, 'b')
  await database.pool.query(
    "update marketdata.tape_positions set covered_until = now() + interval '1 hour', updated_at = now() + interval '1 hour' where ingestor_id = 'b'",
  )
  expect(await lostStreams(database.pool)).toEqual([
    expect.stringMatching(/^BTCUSDT book_ticker restart 10 1.000 60\./),
  ])
  await database.pool.query(
    "update marketdata.stream_offsets set began_ts = '2026-03-01T12:00:00Z' where ingestor_id = 'b'",
  )
  expect(await lostStreams(database.pool)).toEqual([])
  // Both are down: the one that stopped last has the open gap.
  await database.pool.query(
    "update marketdata.tape_positions set covered_until = '2026-03-01T13:10:00Z', updated_at = now() where ingestor_id = 'b'",
  )
  expect(await lostStreams(database.pool)).toEqual([
    expect.stringMatching(/^BTCUSDT book_ticker restart 20 .* open$/),
  ])
})
