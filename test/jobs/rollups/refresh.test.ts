import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createPool, type Pool } from '#core/node/pool.ts'
import { recompute, refreshRollup } from '../../../jobs/rollups/refresh.ts'
import { type Rollup, ROLLUPS } from '../../../jobs/rollups/rollup.ts'
import { createTestDatabase } from '../../support/database.ts'
import { untilBlocked } from '../../support/lock-waits.ts'
import { is_long } from '../../support/long.ts'
import { diff, quote, rest, trade } from '../../ingestor/writer/support.ts'
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
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'

const [BT, TRADE, DEPTH] = ROLLUPS as [Rollup, Rollup, Rollup]

async function expectConverged(pool: Pool): Promise<void> {
  for (const rollup of ROLLUPS) {
    expect(await rowsOf(pool, rollup), rollup.name).toEqual(await recomputed(pool, rollup))
  }
}

async function pendingCount(pool: Pool, consumer: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    'select count(*)::int as count from marketdata.invalidations where consumer = $1',
    [consumer],
  )
  return rows[0]!.count
}

for (const seed of is_long ? [1, 2, 3] : [1]) {
  test(`random rows in random order, refreshed in between, equal a single refresh (seed ${seed})`, async () => {
    const database = await createTestDatabase()
    const random = seeded(seed)
    for (let round = 0; round < 8; round++) {
      // Each round reaches further, and adds late rows of all earlier times.
      await ingest(database, randomEntries(random, 150, 60_000 * (round + 1)))
      await refreshAll(database.pool, after(random() * 500_000))
    }
    await refreshAll(database.pool, after(1_000_000))
    for (const rollup of ROLLUPS) {
      expect((await rowsOf(database.pool, rollup)).length, rollup.name).toBeGreaterThan(100)
    }
    await expectConverged(database.pool)
    expect(await pendingCount(database.pool, 'rollups')).toBe(0)
  })
}

test('a late row, a refilled one and a duplicate: only new rows are logged, by the hour', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  const entries = [
    quote('BTCUSDT', 1, 0),
    quote('BTCUSDT', 9, 20_000),
    trade('BTCUSDT', 1, 0),
    trade('BTCUSDT', 5, 20_000),
  ]
  await ingest(database, entries)
  await refreshAll(pool, after(100_000))
  expect(await pendingCount(pool, 'archive')).toBe(0)

  const refill = JSON.stringify([
    { a: 3, p: '90.00', q: '1', f: 9, l: 9, T: Number(after(10_000)) / 1_000, m: true },
  ])
  await ingest(database, [
    ...entries,
    quote('BTCUSDT', 2, 400),
    quote('BTCUSDT', 3, 600),
    quote('BTCUSDT', 4, 700),
    rest(30_000, '/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=2&limit=1000', refill),
  ])
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', consumer, table_name,
       extract(epoch from lowest - $1)::numeric, extract(epoch from greatest - $1)::numeric) as line
     from marketdata.invalidations order by id`,
    [new Date(Number(after(0)) / 1_000)],
  )
  expect(rows.map((row) => row.line).toSorted()).toEqual([
    'archive book_ticker 0.400000 0.400000',
    'archive book_ticker 0.600000 0.700000',
    'archive trades 10.000000 10.000000',
    'features book_ticker 0.400000 0.400000',
    'features book_ticker 0.600000 0.700000',
    'features trades 10.000000 10.000000',
    'rollups book_ticker 0.400000 0.400000',
    'rollups book_ticker 0.600000 0.700000',
    'rollups trades 10.000000 10.000000',
    'signals trades 10.000000 10.000000',
  ])
  const refreshed = await refreshAll(pool, after(100_000))
  expect(refreshed.map((one) => one.invalidation_count)).toEqual([2, 1, 0])
  await expectConverged(pool)
  expect(await rowsOf(pool, TRADE)).toHaveLength(3)
  expect(await pendingCount(pool, 'rollups')).toBe(0)
  // The archive deletes its own log entries.
  expect(await pendingCount(pool, 'archive')).toBe(3)
})

test('a refresh waits for a writer that has seen the old threshold, and includes its rows', async () => {
  const { pool } = await createTestDatabase()
  await pool.query(`insert into marketdata.symbols (exchange, symbol) values ('binance-futures', 'BTCUSDT');
    select marketdata.ensure_hour('trades', '2026-03-01T12:59:59Z')`)
  const insert = `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty, is_buyer_maker)
    values ($1, $1, 1, $2, 100, 1, true)`
  const at = (ms: number) => new Date(Number(after(ms)) / 1_000)
  await pool.query(insert, [at(400), 1])
  const writer = await pool.connect()
  await writer.query('begin')
  await writer.query(insert, [at(100), 2])
  await writer.query(
    "select threshold from marketdata.invalidation_thresholds where table_name = 'trades' for share",
  )
  let is_done = false
  const refresh = refreshRollup(pool, TRADE, after(60_000), never).finally(() => {
    is_done = true
  })
  await untilBlocked(pool)
  expect(is_done).toBe(false)
  await writer.query('commit')
  writer.release()
  expect(await refresh).toMatchObject({ row_count: 1, watermark: Number(after(500)) })
  await expectConverged(pool)
  const { rows } = await pool.query('select trade_count from marketdata.trade_1s')
  expect(rows).toEqual([{ trade_count: '2' }])
})

test('writers and refreshes at the same time, with backends killed at random: nothing is missed', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  const random = seeded(7)
  const victims = createPool(database.url, 'refresh-to-be-killed', 2, CONNECT_LIMIT_MS)
  const writing = new AbortController()
  let [refresh_count, killed_count] = [0, 0]
  const refreshing = (async () => {
    while (!writing.signal.aborted) {
      const done = await refreshAll(victims, after(random() * 400_000)).catch(() => undefined)
      if (done !== undefined) refresh_count++
    }
  })()
  const killing = (async () => {
    while (!writing.signal.aborted) {
      await sleep(40 + random() * 160)
      const { rowCount } = await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'refresh-to-be-killed' and state <> 'idle'`,
      )
      killed_count += rowCount ?? 0
    }
  })()
  const small = { rows_max: 50, bytes_max: 16 * 1024, age_ms_max: 1 }
  const write = async (): Promise<void> => {
    const writers = [11, 12].map(async (seed) => {
      const own = seeded(seed)
      for (let round = 0; round < 6; round++) {
        await ingest(database, randomEntries(own, 400, 100_000 * (round + 1)), small)
      }
    })
    await Promise.all(writers)
    await expect.poll(() => Math.min(killed_count, refresh_count)).toBeGreaterThan(0)
  }
  // Whichever of them fails, all have ended before their pools are closed.
  const loops = [write().finally(() => writing.abort()), refreshing, killing]
  const ended = await Promise.allSettled(loops)
  expect(ended.filter(({ status }) => status === 'rejected')).toEqual([])
  await victims.end()
  await refreshAll(pool, after(1_000_000))
  await expectConverged(pool)
  expect(await pendingCount(pool, 'rollups')).toBe(0)
})

test('the rollup of an archived and dropped hour stays as it was, whatever arrives late', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, [
    trade('BTCUSDT', 1, 0),
    trade('BTCUSDT', 2, 300),
    trade('BTCUSDT', 3, 60_000),
  ])
  await refreshAll(pool, after(100_000))
  const before = await rowsOf(pool, TRADE)
  await pool.query(`insert into marketdata.archive (exchange, table_name, hour, version, object_key, row_count, table_row_count,
      byte_count, sha256, checksums, min_ts_exchange, max_ts_exchange, archived_at, dropped_at)
    values ('binance-futures', 'trades', '2026-03-01T12:00:00Z', 1, 'k', 2, 2, 1, 's', '{}', now(), now(), now(), now());
    drop table marketdata.trades_2026030112`)
  await ingest(database, [trade('BTCUSDT', 4, 200), trade('BTCUSDT', 5, 60_100)])
  const [, refreshed] = await refreshAll(pool, after(100_000))
  expect(refreshed).toMatchObject({ invalidation_count: 2, beyond_raw_count: 1, row_count: 1 })
  const rows = await rowsOf(pool, TRADE)
  expect(rows[0]).toBe(before[0])
  expect(rows[1]).not.toBe(before[1])
  expect(await recompute(pool, TRADE, { from: after(-10_000), to: after(100_000) }, never)).toBe(1)
  expect(await rowsOf(pool, TRADE)).toEqual(rows)
})

test('the rollup of an hour whose books were dropped stays as it was', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, [diff('BTCUSDT', 4, 5, 100), diff('BTCUSDT', 5, 6, 60_000)])
  await pool.query(`select marketdata.ensure_hour('orderbook_topn', '2026-03-01T12:59:59Z');
    insert into marketdata.orderbook_topn (ts_exchange, symbol_id, final_update_id, b1_price, b1_qty)
    select '2026-03-01T12:59:59.700Z', id, 5, 99.9, 1.5 from marketdata.symbols`)
  await refreshAll(pool, after(100_000))
  const before = await rowsOf(pool, DEPTH)
  await pool.query('drop table marketdata.orderbook_topn_2026030112')
  await ingest(database, [diff('BTCUSDT', 2, 3, 50), diff('BTCUSDT', 6, 7, 60_100)])
  const [, , refreshed] = await refreshAll(pool, after(100_000))
  expect(refreshed).toMatchObject({ invalidation_count: 2, beyond_raw_count: 1, row_count: 1 })
  const rows = await rowsOf(pool, DEPTH)
  expect(rows[0]).toBe(before[0])
  expect(rows[1]).not.toBe(before[1])
})

test('a window is recomputed from the raw rows, and nothing outside it changes', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, randomEntries(seeded(5), 300, 900_000))
  await refreshAll(pool, after(2_000_000))
  const right = await rowsOf(pool, BT)
  const alter = 'update marketdata.bt_1s set bid_open = 0'
  await pool.query(alter)
  const span = { from: after(100_500), to: after(700_500) }
  const row_count = await recompute(pool, BT, span, never)
  const { rows } = await pool.query<{ count: number }>(
    'select count(*)::int as count from marketdata.bt_1s where bid_open <> 0 and bucket >= $1 and bucket < $2',
    [new Date(span.from / 1_000), new Date(span.to / 1_000)],
  )
  expect(row_count).toBe(rows[0]!.count)
  expect(row_count).toBeGreaterThan(20)
  await recompute(pool, BT, { from: after(-10_000), to: after(2_000_000) }, never)
  expect(await rowsOf(pool, BT)).toEqual(right)
})

test('an abort ends a run between two steps, and the next one continues', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, randomEntries(seeded(6), 200, 1_500_000))
  const stopping = new AbortController()
  stopping.abort()
  const stopped = await refreshRollup(pool, BT, after(3_000_000), stopping.signal)
  expect(stopped).toMatchObject({ row_count: 0, watermark: -Infinity })
  await refreshAll(pool, after(3_000_000))
  await expectConverged(pool)
})
