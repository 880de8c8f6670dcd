/** Rows that arrive after their hour was archived, before and after its partition was dropped. */
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { ArchiveIndex } from '#core/archive.ts'
import { silentLogger } from '#core/node/log.ts'
import { createPool } from '#core/node/pool.ts'
import { HOUR_US } from '#core/time.ts'
import { createArchiveReader } from '../../../jobs/archive/read.ts'
import { type ArchiveResult, runArchive } from '../../../jobs/archive/run-archive.ts'
import { runRetention } from '../../../jobs/retention/run-retention.ts'
import { createStand } from '../stand.ts'
import { digestOfBytes, HOUR, insertListed, insertRows, makeRows, type Row } from './rows.ts'
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'

const stand = await createStand()
const { pool, store } = stand
const NOW = (): number => Date.parse('2024-08-08T20:00:00Z')
const DAY_PREFIX = 'raw/trades/exchange=binance-futures/date=2024-08-08'
const ROWS = makeRows('trades', 400)

const archive = (options: Partial<Parameters<typeof runArchive>[0]> = {}): Promise<ArchiveResult> =>
  runArchive({
    pool,
    store,
    codec: 'zstd',
    work_dir: join(stand.dir, 'work'),
    log: silentLogger,
    now: NOW,
    ...options,
  })

/** With a budget of one byte, every partition that may be dropped is dropped. */
const free = (): ReturnType<typeof runRetention> =>
  runRetention({
    pool,
    settings: {
      budget_bytes: 1,
      days: { raw: 0, depth: 0, rollups: 0 },
      clusters_days: 0,
      settle_us: HOUR_US,
    },
    log: silentLogger,
    now: NOW,
  })

/** Like the writer: adds the rows and their log entries in one transaction. */
async function insertLate(rows: readonly Row[]): Promise<void> {
  await insertRows(pool, 'trades', rows)
  for (const { symbol_id, ts_exchange } of rows) {
    await pool.query(
      `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
       values ('archive', 'trades', $1, $2, $2)`,
      [symbol_id, ts_exchange],
    )
  }
}

const late = (agg_trade_id: number, symbol_id = 2): Row => ({ ...ROWS[0], agg_trade_id, symbol_id })

async function idsOf(version: number): Promise<readonly number[]> {
  const { rows } = await pool.query(
    `select exchange, table_name, object_key, row_count::int, byte_count::int, version
     from marketdata.archive where exchange = 'binance-futures' and version = $1`,
    [version],
  )
  const ids: number[] = []
  for (const symbol of ['BTCUSDT', 'ETHUSDT', '币安人生USDT']) {
    const wanted = { symbol, columns: ['agg_trade_id'] }
    for await (const chunk of createArchiveReader(store).readSymbolHour(rows[0], wanted)) {
      ids.push(...chunk.numbers('agg_trade_id'))
    }
  }
  return ids.toSorted((a, b) => a - b)
}

async function archiveRows(): Promise<readonly Row[]> {
  const { rows } = await pool.query(
    `select exchange, version, row_count::int, table_row_count::int, dropped_at is not null as is_dropped
     from marketdata.archive order by exchange, version`,
  )
  return rows
}

async function lateCount(): Promise<number> {
  const { rows } = await pool.query('select count(*)::int as count from marketdata.invalidations')
  return rows[0].count
}

const ids = ROWS.filter(({ symbol_id }) => symbol_id !== 3)
  .map(({ agg_trade_id }) => Number(agg_trade_id))
  .toSorted((a, b) => a - b)

beforeEach(async () => {
  await pool.query(`truncate marketdata.archive, marketdata.invalidations;
    drop table if exists marketdata.trades_2024080813; truncate marketdata.symbols restart identity cascade;
    update marketdata.rollup_watermarks set watermark = 'infinity'`)
  await insertListed(pool)
  await insertRows(pool, 'trades', ROWS)
  await archive()
})

test('a late row gives a second version of its exchange only, and the first one stays as it was', async () => {
  const first = await store.get(`${DAY_PREFIX}/hour=13.parquet`)
  await insertLate([late(77)])
  expect(await archive()).toMatchObject({ hour_count: 1, file_count: 1, unchanged_count: 1 })
  expect(await archiveRows()).toEqual([
    {
      exchange: 'binance-futures',
      version: 1,
      row_count: 300,
      table_row_count: 300,
      is_dropped: false,
    },
    {
      exchange: 'binance-futures',
      version: 2,
      row_count: 301,
      table_row_count: 301,
      is_dropped: false,
    },
    {
      exchange: 'binance-spot',
      version: 1,
      row_count: 100,
      table_row_count: 100,
      is_dropped: false,
    },
  ])
  expect(await idsOf(2)).toEqual([77, ...ids])
  expect(digestOfBytes((await store.get(`${DAY_PREFIX}/hour=13.parquet`))!)).toBe(
    digestOfBytes(first!),
  )
  expect(await lateCount()).toBe(0)
  const index = JSON.parse(
    Buffer.from((await store.get(`${DAY_PREFIX}/index.json`))!).toString(),
  ) as ArchiveIndex
  expect(index.hours.map(({ object_key, row_count }) => [object_key, row_count])).toEqual([
    [`${DAY_PREFIX}/hour=13.v2.parquet`, 301],
  ])
})

test('a log entry for rows that the file already has changes only the log', async () => {
  await pool.query(
    `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
     values ('archive', 'trades', 2, $1, $1)`,
    [ROWS[0]!['ts_exchange']],
  )
  expect(await archive()).toMatchObject({ hour_count: 1, file_count: 0, unchanged_count: 2 })
  expect(await archiveRows()).toHaveLength(2)
  expect(await lateCount()).toBe(0)
})

test('rows that arrive after the hour was read stay logged, and are in the next run’s version', async () => {
  await insertLate([late(77)])
  const slow = {
    ...store,
    async putFile(key: string, path: string, type: string) {
      await insertLate([late(78)])
      await store.putFile(key, path, type)
    },
  }
  await archive({ store: slow })
  expect(await idsOf(2)).toEqual([77, ...ids])
  expect(await lateCount()).toBe(1)
  await archive()
  expect(await idsOf(3)).toEqual([77, 78, ...ids])
  expect(await lateCount()).toBe(0)
})

test('a run waits for a writer that has read the threshold but not committed yet', async () => {
  await pool.query("update marketdata.invalidation_thresholds set threshold = '-infinity'")
  const writer = createPool(stand.database_url, 'test', 1, CONNECT_LIMIT_MS)
  const client = await writer.connect()
  await client.query('begin')
  await client.query(
    `insert into marketdata.trades
     select (jsonb_populate_record(null::marketdata.trades, $1)).*`,
    [JSON.stringify(late(77))],
  )
  await client.query(
    "select from marketdata.invalidation_thresholds where table_name = 'trades' for share",
  )
  const run = archive({ hours: [{ table_name: 'trades', hour: HOUR }] })
  await expect
    .poll(async () => {
      const { rows } = await pool.query(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%raise_invalidation%'",
      )
      return rows.length
    })
    .toBe(1)
  await client.query('commit')
  client.release()
  await writer.end()
  await run
  expect(await idsOf(2)).toEqual([77, ...ids])
})

test('once its partition was dropped, an hour is the file and the late rows together', async () => {
  await free()
  expect(await archiveRows()).toEqual([
    {
      exchange: 'binance-futures',
      version: 1,
      row_count: 300,
      table_row_count: 0,
      is_dropped: true,
    },
    { exchange: 'binance-spot', version: 1, row_count: 100, table_row_count: 0, is_dropped: true },
  ])
  // One is new; one arrived before, with another receive time.
  const again = {
    ...ROWS.find(({ symbol_id }) => symbol_id === 2)!,
    ts_ingest: '2024-08-08T19:00:00Z',
  }
  await insertLate([late(77), again])
  expect(await archive()).toMatchObject({ hour_count: 1, file_count: 1 })
  expect(await idsOf(2)).toEqual([77, ...ids])
  expect(await archiveRows()).toEqual([
    {
      exchange: 'binance-futures',
      version: 1,
      row_count: 300,
      table_row_count: 0,
      is_dropped: true,
    },
    {
      exchange: 'binance-futures',
      version: 2,
      row_count: 301,
      table_row_count: 2,
      is_dropped: true,
    },
    { exchange: 'binance-spot', version: 1, row_count: 100, table_row_count: 0, is_dropped: true },
  ])
  expect((await free()).dropped).toEqual(['trades_2024080813'])
})

test('late rows that the file already has, in a dropped hour: no version, and the remainder is dropped', async () => {
  await free()
  await insertLate([ROWS.find(({ symbol_id }) => symbol_id === 2)!])
  expect(await archive()).toMatchObject({ hour_count: 1, file_count: 0, unchanged_count: 1 })
  expect(await archiveRows()).toMatchObject([
    { version: 1, row_count: 300, table_row_count: 1, is_dropped: true },
    { version: 1, row_count: 100, table_row_count: 0 },
  ])
  expect((await free()).dropped).toEqual(['trades_2024080813'])
})

test('rows that vanished from the table stay in the archive', async () => {
  await pool.query('delete from marketdata.trades where agg_trade_id = 9001')
  await insertLate([late(77)])
  await archive()
  expect(await idsOf(2)).toEqual([77, ...ids])
})

test('a file that the store returns corrupt is not recorded, and is deleted', async () => {
  await insertLate([late(77)])
  const damaged = {
    ...store,
    async putFile(key: string, path: string, type: string) {
      await store.putFile(key, path, type)
      const bytes = Buffer.from((await store.get(key))!)
      bytes[bytes.length >> 1]! ^= 1
      await store.put(key, bytes, type)
    },
  }
  await expect(archive({ store: damaged })).rejects.toMatchObject({
    code: 'archive_incomplete',
    message: expect.stringContaining('another sha256'),
  })
  expect(await archiveRows()).toHaveLength(2)
  expect(await lateCount()).toBe(1)
  expect(await store.get(`${DAY_PREFIX}/hour=13.v2.parquet`)).toBeUndefined()
  await archive()
  expect(await idsOf(2)).toEqual([77, ...ids])
})

test('a corrupt old file in the store stops the next version, which would lose its rows', async () => {
  const key = `${DAY_PREFIX}/hour=13.parquet`
  const bytes = (await store.get(key))!
  await store.put(key, bytes.subarray(0, 100), 'application/vnd.apache.parquet')
  await insertLate([late(77)])
  await expect(archive()).rejects.toMatchObject({ message: expect.stringContaining(key) })
  expect(await lateCount()).toBe(1)
  await store.put(key, bytes, 'application/vnd.apache.parquet')
})

test('an index that was not written before a crash is written by the next run', async () => {
  await store.delete(`${DAY_PREFIX}/index.json`)
  await pool.query('update marketdata.archive set indexed_at = null')
  expect(await archive()).toMatchObject({ hour_count: 0 })
  const index = JSON.parse(
    Buffer.from((await store.get(`${DAY_PREFIX}/index.json`))!).toString(),
  ) as ArchiveIndex
  expect(index.hours).toHaveLength(1)
})

test('an hour given by name is read and compared again; an hour that is not over is refused', async () => {
  const hours = [{ table_name: 'trades', hour: HOUR }] as const
  expect(await archive({ hours })).toMatchObject({ hour_count: 1, unchanged_count: 2 })
  await expect(
    archive({ hours, now: () => Date.parse('2024-08-08T13:59:59Z') }),
  ).rejects.toMatchObject({
    code: 'hour_not_over',
  })
})
