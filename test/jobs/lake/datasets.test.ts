/** Published days in the lake: a rebuild overwrites; a snapshot keeps the file that it names. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { parseDay } from '#core/time.ts'
import { PUBLISHED } from '../../../jobs/datasets/published.ts'
import { sweepReplacedBuilds } from '../../../jobs/datasets/replaced-builds.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { expireTable } from '../../../jobs/lake/expire.ts'
import { insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { insertTape } from '../signals/market.ts'
import { createStand, NOON } from '../stand.ts'
import { runLakeJob } from './commits.ts'
import { readMetadata, readTable } from './icebird.ts'

const stand = await createStand()
const { pool, store } = stand
const DATE = parseDay('2024-08-08')!
const EVENING_US = Date.parse('2024-08-08T23:58:00Z') * 1_000
const HOUR_MS = 3_600_000
const TABLE = 'datasets.trades_v1'

const trade = (id: number) => ({
  symbol: 'BTCUSDT',
  ts: EVENING_US + id * 1_000_000,
  id,
  price: 100 + (id % 3),
  qty: 1,
  is_buyer_maker: id % 2 === 0,
})

async function publish(now_ms: number): Promise<void> {
  const work_dir = join(stand.dir, 'work')
  const now = (): number => now_ms
  await runDatasets({ pool, store, work_dir, date: DATE, log: silentLogger, now })
}

const commit = (now_ms: number): ReturnType<typeof runLakeJob> =>
  runLakeJob(stand, { datasets: PUBLISHED, now: () => now_ms })

async function ids(snapshot_id?: number): Promise<readonly number[]> {
  const rows = await readTable(store, TABLE, snapshot_id)
  return rows.map((row) => Number(row['agg_trade_id']))
}

const parquetFiles = async (): Promise<number> =>
  (await store.list('datasets/trades/')).filter(({ key }) => key.endsWith('/trades.parquet')).length

test('a published day is a snapshot, and a rebuild an overwrite that leaves the old one', async () => {
  await insertSymbols(pool, ['BTCUSDT'])
  await insertQuotes(pool, [
    { symbol: 'BTCUSDT', ts: EVENING_US, id: 1, bid: 100, bid_qty: 1, ask: 101, ask_qty: 1 },
  ])
  await insertTrades(pool, [1, 2, 4, 5].map(trade))
  await publish(NOON)
  const first = await commit(NOON + 1_000)
  expect([...first.keys()].toSorted()).toEqual(
    [
      'bars_v1',
      'candles_v2',
      'clusters_v1',
      'labels_barrier_v1',
      'quotes_v1',
      'signals_v1',
      'trades_v1',
    ].map((name) => `datasets.${name}`),
  )
  expect(await ids()).toEqual([1, 2, 4, 5])
  const { 'current-snapshot-id': old, snapshots } = await readMetadata(store, TABLE)
  expect(snapshots[0]!.summary).toMatchObject({ operation: 'append', 'booktape.of': DATE })
  expect([...(await commit(NOON + 2_000)).keys()]).toEqual([])

  await insertTrades(pool, [trade(3)])
  await publish(NOON + 3_000)
  const second = (await commit(NOON + 4_000)).get(TABLE)!
  expect(second).toMatchObject({ added_files: 1, removed_files: 1 })
  expect(second.snapshots[0]!.summary).toMatchObject({ operation: 'overwrite' })
  expect(await ids()).toEqual([1, 2, 3, 4, 5])
  expect(await ids(old)).toEqual([1, 2, 4, 5])

  // A day and more later, the replaced build goes, but not the file that a snapshot names.
  const sweep = (after_h: number): Promise<void> =>
    sweepReplacedBuilds({
      pool,
      store,
      keep_replaced_h: 24,
      log: silentLogger,
      now: () => NOON + after_h * HOUR_MS,
    })
  await sweep(25)
  expect(await parquetFiles()).toBe(2)
  expect(await ids(old)).toEqual([1, 2, 4, 5])
  const table = { namespace: 'datasets', name: 'trades_v1' } as const
  const expired = await expireTable(
    {
      pool,
      store,
      keep_ms: 0,
      log: silentLogger,
      now: () => Date.now() + 25 * HOUR_MS,
      signal: new AbortController().signal,
    },
    table,
  )
  expect(expired.snapshot_count).toBe(1)
  await sweep(26)
  expect(await parquetFiles()).toBe(1)
  expect(await ids()).toEqual([1, 2, 3, 4, 5])
})

test('signals of bars that end at midnight are in the table, which has no partitions', async () => {
  await insertTape(pool, 'TAPEUSDT', 5, '2024-08-08T23:20:00Z', 40)
  await publish(NOON + 5_000)
  const committed = (await commit(NOON + 6_000)).get('datasets.signals_v1')!
  expect(committed).toMatchObject({ added_files: 1, removed_files: 0 })
  const rows = await readTable(store, 'datasets.signals_v1')
  expect(rows).toHaveLength(committed.added_rows)
  const days = new Set(rows.map((row) => (row['ts'] as Date).toISOString().slice(0, 10)))
  expect([...days].toSorted()).toEqual(['2024-08-08', '2024-08-09'])
  const metadata = await readMetadata(store, 'datasets.signals_v1')
  expect(metadata['partition-specs']).toEqual([{ 'spec-id': 0, fields: [] }])
  expect(metadata['last-partition-id']).toBe(999)
})
