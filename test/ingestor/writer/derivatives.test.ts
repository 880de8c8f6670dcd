/** Books, mark prices and forced orders from the tape to their tables, and the gaps in them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CHANNELS } from '#core/market.ts'
import { silentLogger } from '#core/node/log.ts'
import { withClient } from '#core/node/pool.ts'
import { micros } from '#core/time.ts'
import type { DepthStream, StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createPartitions } from '../../../ingestor/writer/partitions.ts'
import { createTestDatabase } from '../../support/database.ts'
import {
  appendAll,
  diff,
  dumpGaps,
  type Entry,
  forceOrder,
  mark,
  markPrice,
  openTestTape,
  partial,
  rest,
  START_MS,
  writeTape,
} from './support.ts'

function choose(...streams: readonly DepthStream[]): StreamChoice {
  const depth = { symbols: 'all', streams, interval_ms: 100 } as const
  return { channels: CHANNELS, trade_stream: 'aggTrade', depth }
}

function follow(
  database_url: string,
  tape_dir: string,
  ingestor_id = 'test',
  choice = choose('diff'),
) {
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  return followToEnd({
    database_url,
    ingestor_id,
    tape_dir,
    choice,
    dead_letter_path,
    log: silentLogger,
  })
}

const LADDER = Array.from({ length: 1_000 }, (_, rank) => [
  (100 - rank / 100).toFixed(2),
  `${rank + 1}`,
])
const snapshot = (ms: number, last_id: number): Entry =>
  rest(
    ms,
    '/fapi/v1/depth?symbol=BTCUSDT&limit=1000',
    JSON.stringify({
      lastUpdateId: last_id,
      E: START_MS + ms,
      T: START_MS + ms,
      bids: LADDER,
      asks: [],
    }),
  )

/** Across the turn of an hour. */
const EVERYTHING: readonly Entry[] = [
  diff('BTCUSDT', 0, 10, 0),
  snapshot(1, 10),
  diff('BTCUSDT', 10, 20, 100, 3, {
    b: [],
    a: [
      ['100.10', '0'],
      ['100.20', '0.001'],
    ],
  }),
  partial('BTCUSDT', 20, 100),
  diff('ETHUSDT', 5, 25, 600),
  markPrice('BTCUSDT', 700),
  forceOrder('BTCUSDT', 710),
  diff('BTCUSDT', 20, 31, 800),
]

test('every kind of event becomes a row with its levels, across the turn of an hour', async () => {
  const { url, pool } = await createTestDatabase()
  const counts = await follow(url, await writeTape(EVERYTHING), 'test', choose('diff', 'partial5'))
  expect(counts.rows).toMatchObject({ depth_events: 6, mark_price: 1, liquidations: 1 })
  expect(counts).toMatchObject({ event_frames: 7, event_answers: 1, gaps: 0, rejected: {} })
  const depth = await pool.query(`
    select symbol, depth_kind, first_update_id::int as first, final_update_id::int as last,
      prev_final_update_id::int as prev, bids[1:1] as best_bid, cardinality(bids) as bid_numbers, asks
    from marketdata.depth_events d join marketdata.symbols s on s.id = d.symbol_id
    order by symbol, d.ts_exchange, depth_kind`)
  const bid = { best_bid: [[99.9, 1.5]], bid_numbers: 2 }
  expect(depth.rows).toEqual([
    { symbol: 'BTCUSDT', depth_kind: 'diff', first: 1, last: 10, prev: 0, ...bid, asks: [] },
    {
      symbol: 'BTCUSDT',
      depth_kind: 'snapshot',
      first: null,
      last: 10,
      prev: null,
      best_bid: [[100, 1]],
      bid_numbers: 2_000,
      asks: [],
    },
    {
      symbol: 'BTCUSDT',
      depth_kind: 'diff',
      first: 11,
      last: 20,
      prev: 10,
      best_bid: [],
      bid_numbers: 0,
      asks: [
        [100.1, 0],
        [100.2, 0.001],
      ],
    },
    {
      symbol: 'BTCUSDT',
      depth_kind: 'partial',
      first: null,
      last: 20,
      prev: null,
      ...bid,
      asks: [[100.1, 2]],
    },
    { symbol: 'BTCUSDT', depth_kind: 'diff', first: 21, last: 31, prev: 20, ...bid, asks: [] },
    { symbol: 'ETHUSDT', depth_kind: 'diff', first: 6, last: 25, prev: 5, ...bid, asks: [] },
  ])
  const { rows: marks } = await pool.query(
    'select mark_price, index_price, settle_price, funding_rate, next_funding_at, ts_exchange from marketdata.mark_price',
  )
  expect(marks).toEqual([
    {
      mark_price: 100.05,
      index_price: 100.02,
      settle_price: 100.01,
      funding_rate: -0.0001,
      next_funding_at: new Date(START_MS + 3_600_000),
      ts_exchange: new Date(START_MS + 700),
    },
  ])
  const { rows: forced } = await pool.query(
    'select side, price, qty, average_price, filled_qty, ts_exchange from marketdata.liquidations',
  )
  expect(forced).toEqual([
    {
      side: 'sell',
      price: 99,
      qty: 2,
      average_price: 99.5,
      filled_qty: 1.5,
      ts_exchange: new Date(START_MS + 710),
    },
  ])
})

test('a second ingestor with the same tape, and every event twice in one batch, change nothing', async () => {
  const { url, pool } = await createTestDatabase()
  const later = EVERYTHING.map((entry) => ({
    ...entry,
    ts_ingest: (entry.ts_ingest + 777) as typeof entry.ts_ingest,
  }))
  const tape_dir = await writeTape([...EVERYTHING, ...later])
  const choice = choose('diff', 'partial5')
  const first = await follow(url, tape_dir, 'first', choice)
  expect(first.rows).toMatchObject({ depth_events: 6, mark_price: 1, liquidations: 1 })
  expect(first.duplicates).toMatchObject({ depth_events: 6, mark_price: 1, liquidations: 1 })
  const second = await follow(url, tape_dir, 'second', choice)
  expect(Object.values(second.rows).every((count) => count === 0)).toBe(true)
  expect(second.duplicates).toMatchObject({ depth_events: 12, mark_price: 2, liquidations: 2 })
  const { rows } = await pool.query(
    "select count(*)::int as n, max(ts_ingest - ts_exchange) < interval '1 s' as first_stands from marketdata.depth_events",
  )
  expect(rows).toEqual([{ n: 6, first_stands: true }])
})

const BOOK = { symbol: 'BTCUSDT', channel: 'depth_events' } as const
const MARKS = { symbol: 'BTCUSDT', channel: 'mark_price' } as const
const FORCED = { symbol: 'BTCUSDT', channel: 'liquidations' } as const
const lost = (ms: number): Entry =>
  mark(ms, { kind: 'deaf', cause: 'disconnect', streams: [BOOK, MARKS, FORCED] })

for (const [name, streams, entries, expected] of [
  [
    'a missed diff is a gap at once, of this symbol only',
    ['diff'],
    [
      diff('BTCUSDT', 0, 10, 0),
      diff('ETHUSDT', 0, 11, 0),
      diff('BTCUSDT', 15, 20, 200),
      diff('ETHUSDT', 11, 21, 200),
    ],
    ['BTCUSDT depth_events sequence 10 20 0.200000'],
  ],
  [
    'a reconnect between two diffs is not a gap if the next diff follows the last',
    ['diff'],
    [diff('BTCUSDT', 0, 10, 0), lost(50), diff('BTCUSDT', 10, 20, 100, 9)],
    [],
  ],
  [
    'a reconnect that missed diffs is a gap with its cause',
    ['diff'],
    [diff('BTCUSDT', 0, 10, 0), lost(50), diff('BTCUSDT', 15, 20, 1_000, 9)],
    ['BTCUSDT depth_events disconnect 10 20 1.000000'],
  ],
  [
    'snapshots and partial books besides diffs neither open nor close a gap',
    ['diff', 'partial5'],
    [
      diff('BTCUSDT', 0, 10, 0),
      partial('BTCUSDT', 14, 50),
      snapshot(60, 15),
      diff('BTCUSDT', 15, 20, 200),
    ],
    ['BTCUSDT depth_events sequence 10 20 0.200000'],
  ],
  [
    'partial books alone have no sequence; their gaps are the losses of their stream',
    ['partial5'],
    [
      partial('BTCUSDT', 14, 0),
      partial('BTCUSDT', 90, 100),
      lost(150),
      partial('BTCUSDT', 200, 1_100),
    ],
    ['BTCUSDT depth_events disconnect 90 200 1.000000'],
  ],
  [
    'mark prices and forced orders have no ids: their gaps have only times',
    ['diff'],
    [
      markPrice('BTCUSDT', 0),
      forceOrder('BTCUSDT', 0),
      lost(500),
      markPrice('BTCUSDT', 3_000),
      forceOrder('BTCUSDT', 9_000),
    ],
    ['BTCUSDT liquidations disconnect 9.000000', 'BTCUSDT mark_price disconnect 3.000000'],
  ],
] as const satisfies readonly (readonly [
  string,
  readonly DepthStream[],
  readonly Entry[],
  readonly string[],
])[]) {
  test(`gaps: ${name}`, async () => {
    const { url, pool } = await createTestDatabase()
    await follow(url, await writeTape(entries), 'test', choose(...streams))
    expect(await dumpGaps(pool)).toEqual(expected)
    const { rows } = await pool.query('select from marketdata.gaps where repair_note is null')
    expect(rows).toEqual([])
  })
}

test('the sequence of a book continues across a restart of the writer', async () => {
  const { url, pool } = await createTestDatabase()
  const tape_dir = await writeTape([diff('BTCUSDT', 0, 10, 0), markPrice('BTCUSDT', 0)])
  await follow(url, tape_dir)
  const more = openTestTape(tape_dir)
  appendAll(more, [
    diff('BTCUSDT', 10, 20, 100),
    diff('BTCUSDT', 25, 30, 200),
    markPrice('BTCUSDT', 1_000),
  ])
  await more.close()
  await follow(url, tape_dir)
  expect(await dumpGaps(pool)).toEqual(['BTCUSDT depth_events sequence 20 30 0.100000'])
})

test('a book that Postgres refuses is in the dead letters with all its levels', async () => {
  const { url, pool } = await createTestDatabase()
  await pool.query(
    'alter table marketdata.depth_events add constraint small check (cardinality(bids) < 100)',
  )
  const tape_dir = await writeTape([diff('BTCUSDT', 0, 10, 0), snapshot(1, 10)])
  const counts = await follow(url, tape_dir)
  expect(counts.rows.depth_events).toBe(1)
  expect(counts.dead_letters).toBe(1)
  const letter = JSON.parse(readFileSync(join(tape_dir, 'dead.ndjson'), 'utf8')) as {
    row: Record<string, unknown>
  }
  expect(letter.row).toMatchObject({
    depth_kind: 'snapshot',
    final_update_id: 10,
    first_update_id: null,
    asks: [],
  })
  expect(letter.row['bids']).toEqual(LADDER.map(([price, qty]) => [Number(price), Number(qty)]))
})

test('partitions are created ahead of time only for recorded channels', async () => {
  const { pool } = await createTestDatabase()
  const now = micros(START_MS * 1_000)
  await withClient(pool, (client) => createPartitions(client, ['mark_price']).ensureAhead(now))
  const { rows } = await pool.query<{ part: string }>(
    "select oid::regclass::text as part from pg_class where relispartition and relkind = 'r' order by 1",
  )
  expect(rows.map((row) => row.part)).toEqual([
    'marketdata.mark_price_2026030112',
    'marketdata.mark_price_2026030113',
  ])
})
