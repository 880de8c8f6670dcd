/** A recording of Binance spot through the tape into the tables, and the resulting books. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { bookAt, type DepthSource } from '#core/book-at.ts'
import type { DepthChange } from '#core/book-sync.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { micros } from '#core/time.ts'
import { importRecording } from '../../infra/local/tape-import.ts'
import { streamsOf } from '../../infra/local/feed.ts'
import { summariseRecording } from '../../infra/exchange/replay/recording.ts'
import { followToEnd } from '../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase } from '../support/database.ts'
import { FEEDS_DIR } from './exchanges/recordings.ts'
import { openTestTape, temporaryDirectory } from './writer/support.ts'

const FEED = join(FEEDS_DIR ?? '', 'binance-spot-3coins-20210405', 'feed.ndjson.gz')

async function imported(pool_url: string, file: string) {
  const tape_dir = temporaryDirectory()
  const tape = openTestTape(tape_dir)
  await importRecording(tape, file)
  await tape.close()
  const summary = await summariseRecording(file)
  return followToEnd({
    database_url: pool_url,
    ingestor_id: 'test',
    tape_dir,
    choice: { channels: ['book_ticker', 'trades', 'depth_events'], ...streamsOf(summary) },
    dead_letter_path: join(tape_dir, 'dead.ndjson'),
    log: silentLogger,
  })
}

interface Row {
  readonly us: string
  readonly depth_kind: string
  readonly first_update_id: string | null
  readonly final_update_id: string
  readonly bids: readonly [number, number][]
  readonly asks: readonly [number, number][]
}

async function storedDepth(pool: Pool, symbol: string): Promise<DepthSource> {
  const { rows } = await pool.query<Row>(
    `select (extract(epoch from ts_exchange) * 1000000)::bigint as us, depth_kind, first_update_id,
      final_update_id, bids, asks
     from marketdata.depth_events d join marketdata.symbols s on s.id = d.symbol_id
     where s.symbol = $1 order by ts_exchange, final_update_id`,
    [symbol],
  )
  const events = rows.map((row): DepthChange & { readonly depth_kind: string } => ({
    depth_kind: row.depth_kind,
    ts_exchange: micros(Number(row.us)),
    first_update_id: row.first_update_id === null ? null : Number(row.first_update_id),
    final_update_id: Number(row.final_update_id),
    prev_final_update_id: null,
    bids: row.bids,
    asks: row.asks,
  }))
  const diffs = events.filter((event) => event.depth_kind === 'diff')
  return {
    snapshotBefore: async (ts) =>
      events.findLast((event) => event.depth_kind === 'snapshot' && event.ts_exchange <= ts),
    snapshotsAfter: async (from, to) =>
      events.filter(
        ({ depth_kind, ts_exchange: ts }) => depth_kind === 'snapshot' && ts > from && ts <= to,
      ),
    async *diffs({ from_ts, from_id, to_ts }) {
      yield* diffs.filter((diff) => {
        const { ts_exchange: ts, final_update_id } = diff
        return ts >= from_ts && ts <= to_ts && final_update_id >= from_id
      })
      yield* diffs.filter((diff) => diff.ts_exchange > to_ts).slice(0, 1)
    },
  }
}

interface Wire {
  readonly e?: string
  readonly s?: string
  readonly U: number
  readonly u: number
  readonly b: readonly [string, string][]
  readonly a: readonly [string, string][]
  readonly lastUpdateId: number
  readonly bids: readonly [string, string][]
  readonly asks: readonly [string, string][]
}

/** By the documented procedure, using only Maps: `price qty` of every level, best first. */
function endBook(lines: readonly string[], symbol: string): { bids: string[]; asks: string[] } {
  const sides = { bids: new Map<number, number>(), asks: new Map<number, number>() }
  const put = (side: Map<number, number>, levels: readonly [string, string][]): void => {
    for (const [price, qty] of levels) {
      if (Number(qty) === 0) side.delete(Number(price))
      else side.set(Number(price), Number(qty))
    }
  }
  const entries = lines.map(
    (line) => JSON.parse(line) as { t: string; path?: string; data: string },
  )
  const rest = entries.find(({ t, path }) => t === 'rest' && path?.includes(symbol) === true)!
  const snapshot = JSON.parse(rest.data) as Wire
  put(sides.bids, snapshot.bids)
  put(sides.asks, snapshot.asks)
  let last_id = snapshot.lastUpdateId
  for (const { t, data } of entries) {
    const { data: wire } = t === 'ws' ? (JSON.parse(data) as { data: Wire }) : { data: undefined }
    if (wire?.e !== 'depthUpdate' || wire.s !== symbol || wire.u <= last_id) continue
    if (wire.U > last_id + 1) throw new Error(`${symbol}: ${wire.U} does not follow ${last_id}`)
    put(sides.bids, wire.b)
    put(sides.asks, wire.a)
    last_id = wire.u
  }
  const text = (side: Map<number, number>, sign: number): string[] =>
    [...side].toSorted(([a], [b]) => (a - b) * sign).map(([price, qty]) => `${price} ${qty}`)
  return { bids: text(sides.bids, -1), asks: text(sides.asks, 1) }
}

describe.skipIf(FEEDS_DIR === undefined)('three coins of 2021 (skipped without FEEDS_DIR)', () => {
  test('every frame is a row, no sequence is broken, and the final books equal those of the recording', async () => {
    const { url, pool } = await createTestDatabase()
    const counts = await imported(url, FEED)
    expect(counts).toMatchObject({
      rows: { depth_events: 2_688 + 3, trades: 1_910, book_ticker: 0 },
      ignored: { kline: 118 },
      rejected: {},
      dead_letters: 0,
      gaps: 0,
    })
    const lines = gunzipSync(readFileSync(FEED)).toString('utf8').trim().split('\n').slice(1)
    for (const symbol of ['BTCUSDT', 'ETHUSDT', 'DOTUSDT']) {
      const found = await bookAt(await storedDepth(pool, symbol), micros(1_700_000_000_000_000))
      if (found.kind !== 'book') throw new Error(`${symbol}: ${found.kind}`)
      const text = (side: 'bids' | 'asks'): string[] =>
        found.book[side].top(Infinity).map(([price, qty]) => `${price} ${qty}`)
      const expected = endBook(lines, symbol)
      expect(expected.bids.length).toBeGreaterThan(900)
      expect({ bids: text('bids'), asks: text('asks') }).toEqual(expected)
    }
    const again = await imported(url, FEED)
    expect(again.rows).toMatchObject({ depth_events: 0, trades: 0 })
  })
})

test('quotes without a time: a second replay gives the same rows, and a copy on a second socket gives none', async () => {
  const ts = 1_785_000_000_000_000
  const quote = (u: number, at: number, note = ''): object => ({
    t: 'ws',
    ts: ts + at * 1_000,
    data: JSON.stringify({
      stream: 'btcusdt@bookTicker',
      data: { u, s: 'BTCUSDT', b: '1.5', B: '2', a: '1.6', A: '3', note },
    }),
  })
  const lines = [
    { t: 'header', exchange: 'binance-spot', symbols: ['BTCUSDT'] },
    quote(1, 0),
    quote(2, 5),
    quote(2, 6, 'again'),
    quote(9, 30_000),
    quote(12, 30_001),
  ]
  const file = join(temporaryDirectory(), 'quotes.ndjson')
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'))
  const { url, pool } = await createTestDatabase()
  const first = await imported(url, file)
  expect(first.rows.book_ticker).toBe(4)
  expect(first.duplicates.book_ticker).toBe(1)
  const second = await imported(url, file)
  expect(second.rows.book_ticker).toBe(0)
  expect(second.duplicates.book_ticker).toBe(5)
  const { rows } = await pool.query(
    `select update_id::int, ts_exchange = ts_ingest as is_same,
      (extract(epoch from ts_exchange) * 1000 - $1)::int as ms
     from marketdata.book_ticker order by ts_exchange`,
    [ts / 1_000],
  )
  expect(rows).toEqual(
    [
      [1, 0],
      [2, 5],
      [9, 30_000],
      [12, 30_001],
    ].map(([update_id, ms]) => ({ update_id, is_same: true, ms })),
  )
})

test('a recording with microseconds in its header keeps them; with a wrong header every row is refused', async () => {
  const T = 1_784_989_999_911_117
  const trade = (time: number): string =>
    JSON.stringify({
      stream: 'btcusdt@trade',
      data: {
        e: 'trade',
        E: time,
        s: 'BTCUSDT',
        t: 5,
        p: '1.5',
        q: '2',
        T: time,
        m: true,
        M: true,
      },
    })
  const { url, pool } = await createTestDatabase()
  for (const [time_unit, row_count] of [
    ['microsecond', 1],
    [undefined, 0],
  ] as const) {
    const file = join(temporaryDirectory(), 'fine.ndjson')
    const header = { t: 'header', exchange: 'binance-spot', time_unit, symbols: ['BTCUSDT'] }
    writeFileSync(
      file,
      [header, { t: 'ws', ts: T, data: trade(T) }].map((line) => JSON.stringify(line)).join('\n'),
    )
    const counts = await imported(url, file)
    expect(counts.rows.trades).toBe(row_count)
    expect(counts.rejected).toEqual(row_count === 1 ? {} : { out_of_range: 1 })
  }
  const { rows } = await pool.query(
    'select (extract(epoch from ts_exchange) * 1000000)::bigint as us from marketdata.trades',
  )
  expect(rows).toEqual([{ us: String(T) }])
})
