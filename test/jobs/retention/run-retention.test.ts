/** Drops partitions of a real Postgres: what is checked again under the lock. */
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { ArchivedTable } from '#core/archived-tables.ts'
import { silentLogger } from '#core/node/log.ts'
import { createPool, inTransaction } from '#core/node/pool.ts'
import { HOUR_US, micros } from '#core/time.ts'
import type { TableHour } from '../../../jobs/archive/records.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { dropPartition } from '../../../jobs/retention/drop.ts'
import { selectPartitions } from '../../../jobs/retention/partitions.ts'
import {
  planNow,
  type RetentionOptions,
  runRetention,
} from '../../../jobs/retention/run-retention.ts'
import { insertListed, insertRows, makeRows } from '../archive/rows.ts'
import { createStand } from '../stand.ts'
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'

const stand = await createStand()
const { pool, store } = stand
const now = (): number => Date.parse('2024-08-08T20:00:00Z')
const options: RetentionOptions = {
  pool,
  settings: {
    budget_bytes: 1,
    days: { raw: 0, depth: 0, rollups: 0 },
    clusters_days: 0,
    settle_us: HOUR_US,
  },
  log: silentLogger,
  now,
}
const PARTITION = 'trades_2024080813'

const archive = (hours?: readonly TableHour[]): Promise<unknown> =>
  runArchive({
    pool,
    store,
    codec: 'zstd',
    work_dir: join(stand.dir, 'work'),
    log: silentLogger,
    now,
    ...(hours === undefined ? {} : { hours }),
  })

async function partitions(): Promise<readonly string[]> {
  const { rows } = await pool.query<{ relname: string }>(
    `select relname from pg_class c join pg_inherits i on i.inhrelid = c.oid
     where relnamespace = 'marketdata'::regnamespace and relkind = 'r' order by 1`,
  )
  return rows.map(({ relname }) => relname)
}

async function tradesState(): ReturnType<typeof selectPartitions> {
  return (await selectPartitions(pool)).filter(({ partition }) => partition === PARTITION)
}

beforeEach(async () => {
  for (const partition of await partitions()) await pool.query(`drop table marketdata.${partition}`)
  await pool.query(`truncate marketdata.archive, marketdata.invalidations, marketdata.job_runs;
    truncate marketdata.symbols restart identity cascade;
    update marketdata.rollup_watermarks set watermark = '2024-08-08T19:00:00Z'`)
  await insertListed(pool)
  await insertRows(pool, 'trades', makeRows('trades', 300))
})

test('archived partitions are dropped, and the archive records it; others stay', async () => {
  await archive()
  await insertRows(pool, 'mark_price', makeRows('mark_price', 10))
  const { dropped, row_count, byte_count } = await runRetention(options)
  expect({ dropped, row_count }).toEqual({ dropped: [PARTITION], row_count: 300 })
  expect(byte_count).toBeGreaterThan(0)
  expect(await partitions()).toEqual(['mark_price_2024080813'])
  const { rows } = await pool.query(
    'select distinct table_row_count::int, dropped_at is not null as is_dropped from marketdata.archive',
  )
  expect(rows).toEqual([{ table_row_count: 0, is_dropped: true }])
  const runs = await pool.query(
    'select job, status, row_count::int from marketdata.job_runs order by id desc limit 1',
  )
  expect(runs.rows).toEqual([{ job: 'retention', status: 'done', row_count: 300 }])
})

test('the plan alone drops nothing', async () => {
  await archive()
  const { partitions: planned, used_bytes } = await planNow(options)
  expect(planned.map(({ state, fate }) => [state.partition, fate])).toEqual([
    [PARTITION, { kind: 'drop', reason: 'budget' }],
  ])
  expect(used_bytes).toBeGreaterThan(8_192)
  expect(await partitions()).toEqual([PARTITION])
})

test('rows that arrive between the plan and the drop keep the partition', async () => {
  await archive()
  const [state] = await tradesState()
  await pool.query(
    `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
     values ('archive', 'trades', 1, '2024-08-08T13:10:00Z', '2024-08-08T13:10:00Z')`,
  )
  expect(await dropPartition(pool, state!)).toEqual({
    kind: 'kept',
    why: 'it has late rows that are not archived',
  })
  const { kept, plan } = await runRetention(options)
  expect(kept).toEqual([])
  expect(plan.partitions[0]!.fate).toEqual({ kind: 'keep', reason: 'late_rows' })
  expect(await partitions()).toEqual([PARTITION])
})

test('a writer in the middle of its transaction keeps the partition, and is not blocked for long', async () => {
  await archive()
  const [state] = await tradesState()
  const writer = createPool(stand.database_url, 'writer', 1, CONNECT_LIMIT_MS)
  await writer.query('begin')
  await writer.query(`update marketdata.trades set qty = qty where symbol_id = 1`)
  expect(await dropPartition(pool, state!)).toEqual({
    kind: 'kept',
    why: 'others are using the table',
  })
  await writer.query('commit')
  await writer.end()
  expect(await dropPartition(pool, state!)).toEqual({ kind: 'dropped', row_count: 300 })
})

test('rows that were added without a log entry keep the partition until the hour is compared again', async () => {
  await archive()
  await pool.query(`delete from marketdata.trades where agg_trade_id = 9000`)
  const { dropped, kept } = await runRetention(options)
  expect(dropped).toEqual([])
  expect(kept).toEqual([
    { partition: PARTITION, why: expect.stringContaining('299 rows, but 300 were compared') },
  ])
  expect(await partitions()).toEqual([PARTITION])
})

test('an hour that is being archived is left alone', async () => {
  await archive()
  const [state] = await tradesState()
  const other = createPool(stand.database_url, 'other', 1, CONNECT_LIMIT_MS)
  await other.query(
    "select pg_advisory_lock(hashtext('booktape.job'), hashtext('archive:trades 2024-08-08T13'))",
  )
  expect(await dropPartition(pool, state!)).toEqual({ kind: 'kept', why: 'it is being archived' })
  await other.end()
})

test('a partition that was empty in the plan but has rows now stays', async () => {
  await pool.query("select marketdata.ensure_hour('liquidations', '2024-08-08T13:00:00Z')")
  const state = (await selectPartitions(pool)).find(
    ({ table_name }) => table_name === 'liquidations',
  )!
  expect(state.is_empty).toBe(true)
  await insertRows(pool, 'liquidations', makeRows('liquidations', 3))
  expect(await dropPartition(pool, state)).toEqual({
    kind: 'kept',
    why: 'it has rows that are not archived',
  })
})

test('an empty hour is dropped; if its rows arrive after all, they are archived', async () => {
  await pool.query("select marketdata.ensure_hour('liquidations', '2024-08-08T13:00:00Z')")
  expect((await runRetention(options)).dropped).toEqual(['liquidations_2024080813'])
  await insertRows(pool, 'liquidations', makeRows('liquidations', 3))
  await archive()
  expect((await runRetention(options)).dropped).toEqual(['liquidations_2024080813', PARTITION])
})

test('while the rollup of a table is behind, its hour stays', async () => {
  await archive()
  const { rows } = await pool.query<{ newest: string }>(
    'select max(max_ts_exchange)::text as newest from marketdata.archive',
  )
  for (const [seconds, fate] of [
    [0, { kind: 'keep', reason: 'rollup_behind' }],
    // The exchange was silent for the rest of the hour, and forever after.
    [1, { kind: 'drop', reason: 'budget' }],
  ] as const) {
    await pool.query(
      "update marketdata.rollup_watermarks set watermark = $1::timestamptz + $2 * interval '1 second' where rollup = 'trade_1s'",
      [rows[0]!.newest, seconds],
    )
    expect((await planNow(options)).partitions[0]!.fate).toEqual(fate)
  }
})

test('days of rollups and hours of orderbook_topn are dropped once they and their sources are archived', async () => {
  await pool.query("select marketdata.ensure_day('trade_1s', '2024-08-08T00:00:00Z')")
  await pool.query("select marketdata.ensure_hour('orderbook_topn', '2024-08-08T13:00:00Z')")
  await pool.query(
    `insert into marketdata.orderbook_topn (ts_exchange, symbol_id, final_update_id) values ('2024-08-08T13:00:01Z', 1, 1);
     insert into marketdata.trade_1s (symbol_id, bucket, open, high, low, close, volume, notional, trade_count,
       buy_volume, sell_volume, buy_count, sell_count) values (1, '2024-08-08T13:00:01Z', 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0)`,
  )
  const later = {
    ...options,
    now: () => Date.parse('2024-08-20T20:00:00Z'),
    settings: {
      budget_bytes: 0,
      days: { raw: 0, depth: 7, rollups: 10 },
      clusters_days: 0,
      settle_us: HOUR_US,
    },
  }
  const archiveOf = (table_name: ArchivedTable): Promise<unknown> =>
    archive([{ table_name, hour: micros(Date.parse('2024-08-08T13:00:00Z') * 1e3) }])
  expect((await runRetention(later)).dropped).toEqual([])
  await archiveOf('orderbook_topn')
  expect((await runRetention(later)).dropped).toEqual(['orderbook_topn_2024080813'])
  await archiveOf('trade_1s')
  expect((await runRetention(later)).dropped).toEqual([])
  await archiveOf('trades')
  // Another hour of the day is not archived.
  const add = `insert into marketdata.trade_1s (symbol_id, bucket, open, high, low, close, volume, notional,
    trade_count, buy_volume, sell_volume, buy_count, sell_count) values (1, $1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0)`
  await pool.query(add, ['2024-08-08T15:00:00Z'])
  const { dropped, kept } = await runRetention(later)
  expect([dropped, kept]).toEqual([
    [],
    [{ partition: 'trade_1s_20240808', why: '1 of its 2 rows are archived' }],
  ])
  await archive()
  expect((await runRetention(later)).dropped).toEqual(['trade_1s_20240808'])
})

test('an hour of a rollup is archived from its own partition and dropped by the budget', async () => {
  await inTransaction(pool, async (client) => {
    await client.query("set local booktape.rollup_partition = 'hour'")
    await client.query(
      "select marketdata.ensure_day('trade_1s', hour) from unnest(array['2024-08-08T13:00Z', '2024-08-08T14:00Z']::timestamptz[]) hour",
    )
  })
  await pool.query(
    `insert into marketdata.trade_1s (symbol_id, bucket, open, high, low, close, volume, notional, trade_count,
       buy_volume, sell_volume, buy_count, sell_count)
     select 1, bucket, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0
     from unnest(array['2024-08-08T13:00:01Z', '2024-08-08T14:00:01Z', '2024-08-08T14:00:02Z']::timestamptz[]) bucket`,
  )
  await archive()
  const { dropped } = await runRetention(options)
  expect(dropped).toEqual(['trade_1s_2024080813', PARTITION, 'trade_1s_2024080814'])
  const { rows } = await pool.query(
    "select extract(hour from hour at time zone 'UTC')::int as hour, row_count::int from marketdata.archive where table_name = 'trade_1s' order by 1",
  )
  expect(rows).toEqual([
    { hour: 13, row_count: 1 },
    { hour: 14, row_count: 2 },
  ])
})
