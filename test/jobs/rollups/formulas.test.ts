import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DecimalSum, nearest, Scale } from '#core/decimals.ts'
import { CHANNELS } from '#core/market.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { fromMillis, micros } from '#core/time.ts'
import { readRecording } from '../../../infra/exchange/replay/recording.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { addOfi, isTwoSided, type TopOfBook } from '../../../jobs/formulas/formulas.ts'
import { ROLLUPS } from '../../../jobs/rollups/rollup.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { BTC, FEEDS_DIR } from '../../core/depth-recordings.ts'
import { type Entry, temporaryDirectory, writeTape } from '../../ingestor/writer/support.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import {
  after,
  ingest,
  never,
  randomEntries,
  recomputed,
  refreshAll,
  rowsOf,
  seeded,
} from './support.ts'

type Row = Readonly<Record<string, number | string | null>>

async function readAll(pool: Pool, name: string): Promise<readonly Row[]> {
  const { rows } = await pool.query<{ row: Row }>(
    `select to_jsonb(t) as row from marketdata.${name} t order by symbol_id, bucket`,
  )
  return rows.map(({ row }) => row)
}

/** Views with other formulas that replace the tables. */
async function makeAggregates(pool: Pool): Promise<void> {
  await pool.query(readFileSync(new URL('plain-aggregates.sql', import.meta.url), 'utf8'))
}

function expectClose(found: readonly Row[], expected: readonly Row[]): void {
  expect(found.length).toBe(expected.length)
  for (const [index, row] of expected.entries()) {
    const other = found[index]!
    expect(Object.keys(other)).toEqual(Object.keys(row))
    for (const [name, value] of Object.entries(row)) {
      // They use no window functions; expectOfi checks these.
      if (name.endsWith('ofi_inside')) continue
      const near = other[name]
      const is_close =
        typeof value === 'number' && typeof near === 'number'
          ? Math.abs(near - value) <= 1e-9 * Math.max(1, Math.abs(value))
          : near === value
      expect(is_close, `${name} of ${row['bucket']}: ${near}, not ${value}`).toBe(true)
    }
  }
}

interface QuoteOfSecond extends TopOfBook {
  readonly symbol_id: string
  readonly second: string
}

async function expectOfi(pool: Pool): Promise<void> {
  const { rows } = await pool.query<QuoteOfSecond>(
    `select symbol_id, to_char(ts_exchange at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') as second,
       best_bid, bid_qty, best_ask, ask_qty
     from marketdata.book_ticker order by symbol_id, ts_exchange, update_id`,
  )
  const expected = new Map<string, DecimalSum>()
  const scale = new Scale()
  let before: QuoteOfSecond | undefined
  for (const row of rows) {
    const key = `${row.symbol_id} ${row.second}`
    const sum = expected.get(key) ?? new DecimalSum()
    const is_chained = before !== undefined && isTwoSided(before) && isTwoSided(row)
    if (is_chained && expected.has(key)) addOfi(sum, scale, before!, row)
    expected.set(key, sum)
    before = row
  }
  const found = await readAll(pool, 'bt_1s')
  expect(found.length).toBe(expected.size)
  for (const row of found) {
    const sum = expected.get(`${row['symbol_id']} ${String(row['bucket']).slice(0, 19)}`)
    expect(row['ofi_inside']).toBe(nearest(sum!.value))
  }
}

async function expectRight(database: TestDatabase): Promise<void> {
  const { pool } = database
  await expectOfi(pool)
  const made = new Map<string, readonly Row[]>()
  for (const { name } of ROLLUPS) made.set(name, await readAll(pool, name))
  const joined = await readView(pool)
  await makeAggregates(pool)
  for (const { name } of ROLLUPS) expectClose(made.get(name)!, await readAll(pool, name))
  expectClose(joined, await readView(pool))
}

async function readView(pool: Pool): Promise<readonly Row[]> {
  const { rows } = await pool.query<{ row: Row }>(
    `select to_jsonb(m) as row from marketdata.market_data_1s m order by symbol_id, bucket`,
  )
  return rows.map(({ row }) => row)
}

test('random rows: every column equals plain SQL over the raw rows', async () => {
  const database = await createTestDatabase()
  await ingest(database, randomEntries(seeded(31), 4_000, 300_000))
  await database.pool.query(
    'update marketdata.book_ticker set best_bid = null, bid_qty = null where update_id % 20 = 0',
  )
  await database.pool.query(
    'update marketdata.book_ticker set best_ask = null, ask_qty = null where update_id % 28 = 0',
  )
  await refreshAll(database.pool, after(1_000_000))
  const rows = await readAll(database.pool, 'bt_1s')
  // An empty bid does not affect the ask of its second.
  expect(rows.some((row) => row['bid_open'] === null && row['ask_open'] !== null)).toBe(true)
  await expectRight(database)
})

test.skipIf(FEEDS_DIR === undefined)(
  'the BTC recording with its books: every column equals plain SQL (FEEDS_DIR names the recording)',
  async () => {
    const database = await createTestDatabase()
    const { pool } = database
    const entries: Entry[] = []
    for await (const line of readRecording(join(FEEDS_DIR!, BTC, 'feed.ndjson.gz'))) {
      const text = line.kind === 'rest' ? `${line.path}\n${line.data}` : line.data
      const kind = line.kind === 'rest' ? 'rest' : 'frame'
      entries.push({ kind, connection: 1, ts_ingest: micros(line.ts), payload: Buffer.from(text) })
    }
    await followToEnd({
      database_url: database.url,
      ingestor_id: 'recording',
      tape_dir: await writeTape(entries),
      choice: { channels: CHANNELS, trade_stream: 'trade' },
      dead_letter_path: join(temporaryDirectory(), 'dead.ndjson'),
      log: silentLogger,
    })
    const now = fromMillis(Date.parse('2024-08-10T00:00:00Z'))
    // The books are written later than the depth that they are computed from.
    await refreshAll(pool, now)
    const depth_1s = ROLLUPS[2]!
    expect((await readAll(pool, depth_1s.name)).every((row) => row['book_count'] === 0)).toBe(true)
    const cadence = { min_us: 100_000, max_us: 1_000_000 }
    await createTopnJob({ pool, cadence, log: silentLogger, now: Date.now }).run(never)
    await refreshAll(pool, now)
    expect(await rowsOf(pool, depth_1s)).toEqual(await recomputed(pool, depth_1s))
    const rows = await readAll(pool, depth_1s.name)
    expect(rows.filter((row) => Number(row['book_count']) > 0).length).toBeGreaterThan(300)
    await expectRight(database)
  },
)
