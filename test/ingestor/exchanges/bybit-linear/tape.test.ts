/** Bybit's frames through the writer: complete mark prices, loose trades, books that restart. */
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { micros } from '#core/time.ts'
import type { Mark } from '../../../../ingestor/tape/record.ts'
import type { Tape } from '../../../../ingestor/tape/tape.ts'
import type { FollowCounts } from '../../../../ingestor/writer/counts.ts'
import { followToEnd } from '../../../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts'
import { openTestTape, temporaryDirectory } from '../../writer/support.ts'

const START_MS = Date.UTC(2026, 2, 1, 12)
const BYBIT = 4

interface Entry {
  readonly ms: number
  readonly connection: number
  readonly payload: object
}

function frame(ms: number, topic: string, type: string, data: object, connection = 1): Entry {
  const ts = START_MS + ms
  const cts = topic.startsWith('orderbook') ? { cts: ts } : {}
  return { ms, connection, payload: { topic, type, ts, data, ...cts } }
}

const ticker = (ms: number, type: string, figures: object, connection = 1): Entry =>
  frame(ms, 'tickers.BTCUSDT', type, { symbol: 'BTCUSDT', ...figures }, connection)

function book(ms: number, type: string, u: number, bids: string[][], connection = 1): Entry {
  return frame(
    ms,
    'orderbook.50.BTCUSDT',
    type,
    { s: 'BTCUSDT', b: bids, a: [], u, seq: 9 },
    connection,
  )
}

function quote(ms: number, u: number): Entry {
  const data = { s: 'BTCUSDT', b: [['100', '1']], a: [['101', '2']], u, seq: 9 }
  return frame(ms, 'orderbook.1.BTCUSDT', 'snapshot', data)
}

function trade(ms: number, seq: number, connection = 1): Entry {
  const i = `${String(ms).padStart(8, '0')}-0000-5000-8000-000000000000`
  const T = START_MS + ms
  const data = [{ T, s: 'BTCUSDT', S: 'Buy', v: '1', p: '100', i, BT: false, RPI: false, seq }]
  return frame(ms, 'publicTrade.BTCUSDT', 'snapshot', data, connection)
}

const mark = (ms: number, content: Mark): Entry => ({ ms, connection: 0, payload: content })

function append(tape: Tape, entries: readonly Entry[]): void {
  for (const { ms, connection, payload } of entries) {
    const kind = connection === 0 ? 'mark' : 'frame'
    const ts_ingest = micros((START_MS + ms) * 1_000 + 700)
    tape.append(kind, BYBIT, connection, ts_ingest, Buffer.from(JSON.stringify(payload)))
  }
  tape.flush()
}

/** Appends each part to the tape after the previous one was written. */
async function write(
  { url }: TestDatabase,
  ...parts: readonly (readonly Entry[])[]
): Promise<FollowCounts> {
  const tape_dir = join(temporaryDirectory(), 'tape')
  let counts: FollowCounts | undefined
  for (const entries of parts) {
    const tape = openTestTape(tape_dir)
    append(tape, entries)
    await tape.close()
    counts = await followToEnd({
      database_url: url,
      ingestor_id: 'bybit',
      tape_dir,
      choice: {
        channels: ['book_ticker', 'trades', 'depth_events', 'mark_price'],
        trade_stream: 'aggTrade',
      },
      dead_letter_path: join(temporaryDirectory(), 'dead.ndjson'),
      log: silentLogger,
    })
  }
  return counts!
}

async function gapsOf(pool: Pool): Promise<readonly Record<string, unknown>[]> {
  const { rows } = await pool.query(
    `select channel, cause, from_id::int, to_id::int, repair_note,
       (extract(epoch from to_ts - from_ts) * 1000)::int as length_ms
     from marketdata.gaps order by id`,
  )
  return rows
}

describe('mark prices', () => {
  const WHOLE = {
    markPrice: '100',
    indexPrice: '99',
    fundingRate: '0.01',
    nextFundingTime: '1772380800000',
  }
  const ENTRIES = [
    ticker(0, 'delta', { markPrice: '98' }),
    ticker(100, 'snapshot', WHOLE),
    ticker(200, 'delta', { lastPrice: '100.5' }),
    ticker(300, 'delta', { markPrice: '101' }),
    ticker(400, 'delta', { indexPrice: '100' }),
    ticker(500, 'delta', { fundingRate: '' }),
    // A second socket that lags: its row has its time, and newer rows are unaffected.
    ticker(350, 'snapshot', WHOLE, 2),
    ticker(600, 'delta', { markPrice: '102' }),
  ]
  const ROWS = [
    [100, 100, 99, 0.01],
    [300, 101, 99, 0.01],
    [350, 100, 99, 0.01],
    [400, 101, 100, 0.01],
    [500, 101, 100, null],
    [600, 102, 100, null],
  ]
  const rowsOf = async ({ pool }: TestDatabase) => {
    const { rows } = await pool.query<{ row: unknown }>(
      `select jsonb_build_array(round(extract(epoch from ts_exchange) * 1000) - $1, mark_price,
         index_price, funding_rate) as row
       from marketdata.mark_price order by ts_exchange`,
      [START_MS],
    )
    return rows.map(({ row }) => row)
  }

  test('changes become complete rows; a change without a known price gives no row', async () => {
    const database = await createTestDatabase()
    const counts = await write(database, ENTRIES)
    expect(await rowsOf(database)).toEqual(ROWS)
    expect(counts).toMatchObject({
      frames: 8,
      event_frames: 8,
      rejected: {},
      dead_letters: 0,
      gaps: 0,
    })
    expect(counts.rows.mark_price).toBe(ROWS.length)
  })

  test('restarting the writer after every frame gives the same rows', async () => {
    const database = await createTestDatabase()
    await write(database, ...ENTRIES.map((entry) => [entry]))
    expect(await rowsOf(database)).toEqual(ROWS)
  })

  test('two in one millisecond are two rows, a microsecond apart, from either socket and after a restart', async () => {
    const entries = [
      ticker(0, 'snapshot', WHOLE),
      ticker(0, 'snapshot', WHOLE, 2),
      ticker(100, 'delta', { markPrice: '101' }),
      ticker(100, 'delta', { markPrice: '102' }),
      ticker(100, 'delta', { markPrice: '101' }, 2),
      ticker(200, 'delta', { indexPrice: '100' }),
      ticker(100, 'delta', { markPrice: '102' }, 2),
      ticker(200, 'delta', { indexPrice: '100' }, 2),
    ]
    const exact = async ({ pool }: TestDatabase) => {
      const { rows } = await pool.query<{ row: unknown }>(
        `select jsonb_build_array((extract(epoch from ts_exchange) * 1000 - $1)::float8, mark_price,
           index_price) as row
         from marketdata.mark_price order by ts_exchange`,
        [START_MS],
      )
      return rows.map(({ row }) => row)
    }
    const expected = [
      [0, 100, 99],
      [100, 101, 99],
      [100.001, 102, 99],
      [200, 102, 100],
    ]
    const whole = await createTestDatabase()
    const counts = await write(whole, entries)
    expect(await exact(whole)).toEqual(expected)
    expect([counts.duplicates.mark_price, counts.conflicts.mark_price]).toEqual([4, 0])
    const parts = await createTestDatabase()
    await write(parts, ...entries.map((entry) => [entry]))
    expect(await exact(parts)).toEqual(expected)
  })
})

describe('what the ledger says', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  const gapsAfter = async (entries: readonly Entry[]) => {
    await database.pool.query('truncate marketdata.gaps, marketdata.stream_offsets')
    await write(database, entries)
    return gapsOf(database.pool)
  }
  const depth_note = 'The exchange keeps no history of book updates.'

  test('books: consecutive ids are not a gap, not even with a second socket', async () => {
    const bid = [['100', '1']]
    expect(
      await gapsAfter([
        book(0, 'snapshot', 50, bid),
        book(20, 'delta', 51, bid),
        // A second subscription is ahead for a while.
        book(60, 'snapshot', 53, bid, 2),
        book(40, 'delta', 52, bid),
        book(60, 'delta', 53, bid),
        book(80, 'delta', 54, bid, 2),
        book(80, 'delta', 54, bid),
        book(100, 'delta', 55, bid),
      ]),
    ).toEqual([])
  })

  test('books: a skipped id is a gap from the diff before it to the diff after it', async () => {
    const bid = [['100', '1']]
    const gaps = await gapsAfter([
      book(0, 'snapshot', 50, bid),
      book(20, 'delta', 51, bid),
      book(60, 'delta', 53, bid),
      book(80, 'snapshot', 60, bid),
      book(90, 'delta', 61, bid),
    ])
    const gap = { channel: 'depth_events', cause: 'sequence', repair_note: depth_note }
    expect(gaps).toEqual([
      { ...gap, from_id: 51, to_id: 53, length_ms: 40 },
      { ...gap, from_id: 53, to_id: 60, length_ms: 20 },
    ])
  })

  test('books: a snapshot with id 1 restarts at once, and only once', async () => {
    const bid = [['100', '1']]
    const gaps = await gapsAfter([
      book(0, 'snapshot', 50, bid),
      book(20, 'delta', 51, bid),
      book(60, 'snapshot', 1, bid),
      book(80, 'delta', 2, bid),
      book(60, 'snapshot', 1, bid, 2),
      book(100, 'delta', 3, bid),
      book(80, 'delta', 2, bid, 2),
    ])
    expect(gaps).toMatchObject([{ cause: 'sequence', from_id: 51, to_id: 1, length_ms: 40 }])
  })

  test('quotes: an unchanged quote that is repeated for a minute is not a new numbering', async () => {
    const again = Array.from({ length: 20 }, (_, index) => quote(index * 3_000, 7))
    expect(await gapsAfter([...again, quote(60_100, 8)])).toEqual([])
  })

  test('trades: an unreadable one in a list is a gap between its neighbours', async () => {
    const [first, second, third] = [trade(500, 8_000), trade(510, 8_001), trade(520, 8_002)]
    const dataOf = ({ payload }: Entry) => (payload as { data: readonly object[] }).data
    const odd = dataOf(second!).map((one) => ({ ...one, p: 'n/a' }))
    const data = [...dataOf(first!), ...odd, ...dataOf(third!)]
    const gaps = await gapsAfter([
      trade(0, 1_000),
      frame(520, 'publicTrade.BTCUSDT', 'snapshot', data),
      trade(600, 9_000),
    ])
    expect(gaps).toMatchObject([
      { channel: 'trades', cause: 'rejected', from_id: null, length_ms: 20 },
    ])
    const { rows } = await database.pool.query(
      `select 1 from marketdata.trades where ts_exchange = to_timestamp($1 / 1000.0)`,
      [START_MS + 520],
    )
    expect(rows).toHaveLength(1)
  })

  test('trades: jumps of the sequence prove nothing, a loss is a gap without ids', async () => {
    const streams = [{ symbol: 'BTCUSDT', channel: 'trades' }] as const
    const gaps = await gapsAfter([
      trade(0, 1_000),
      trade(1, 1_000),
      trade(500, 9_000),
      mark(600, { kind: 'deaf', cause: 'disconnect', streams }),
      trade(900, 9_500, 2),
      trade(901, 9_501, 2),
    ])
    expect(gaps).toEqual([
      {
        channel: 'trades',
        cause: 'disconnect',
        from_id: null,
        to_id: null,
        repair_note: 'The trades of this exchange have no ids by which to request them.',
        length_ms: 400,
      },
    ])
  })
})
