/** Depth that the writer adds after orderbook_topn was written changes the table and the rollup. */
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { ROLLUPS } from '../../../jobs/rollups/rollup.ts'
import { createTestDatabase } from '../../support/database.ts'
import { diff, type Entry, rest } from '../../ingestor/writer/support.ts'
import { after, ingest, never, recomputed, refreshAll, rowsOf } from '../rollups/support.ts'

const DEPTH_1S = ROLLUPS[2]!
const cadence = { min_us: 100_000, max_us: 1_000_000 }

/** Two minutes of changes, five a second; each sets one of ten bids. */
const CHANGES: readonly Entry[] = Array.from({ length: 600 }, (_, n) => {
  const bid = [(99.9 - (n % 10) / 10).toFixed(2), String(1 + (n % 7))]
  return diff('BTCUSDT', 100 + n, 101 + n, 200 + n * 200, 3, { b: [bid] })
})

function snapshot(ms: number, lastUpdateId: number): Entry {
  const levels = (sign: number) =>
    Array.from({ length: 12 }, (_, k) => [(100 + (sign * (k + 1)) / 10).toFixed(2), '5'])
  const E = Date.parse('2026-03-01T12:59:59Z') + ms
  const body = JSON.stringify({ lastUpdateId, E, T: E, bids: levels(-1), asks: levels(1) })
  return rest(ms, '/fapi/v1/depth?symbol=BTCUSDT&limit=1000', body)
}

async function topRows(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    'select t::text as line from marketdata.orderbook_topn t order by ts_exchange',
  )
  return rows.map((row) => row.line)
}

const topn = (pool: Pool) => createTopnJob({ pool, cadence, log: silentLogger, now: Date.now })

for (const [name, late] of [
  ['one change', CHANGES.slice(200, 201)],
  ['changes of half a minute', CHANGES.slice(200, 350)],
  ['the changes that continue the first snapshot', CHANGES.slice(0, 4)],
] as const) {
  test(`${name}: the rows and the rollup are those of depth that came in time`, async () => {
    const [in_time, mended] = [await createTestDatabase(), await createTestDatabase()]
    const all = [snapshot(100, 100), ...CHANGES]
    await ingest(in_time, all)
    await topn(in_time.pool).run(never)
    const expected = await topRows(in_time.pool)
    expect(expected.length).toBeGreaterThan(500)

    const job = topn(mended.pool)
    await ingest(
      mended,
      all.filter((entry) => !late.includes(entry)),
    )
    await job.run(never)
    await refreshAll(mended.pool, after(1_000_000))
    const before = await topRows(mended.pool)
    expect(before.length).toBeLessThan(expected.length - 1)

    await ingest(mended, late)
    await job.run(never)
    expect(await topRows(mended.pool)).toEqual(expected)
    await refreshAll(mended.pool, after(1_000_000))
    expect(await rowsOf(mended.pool, DEPTH_1S)).toEqual(await recomputed(mended.pool, DEPTH_1S))
    const { rows } = await mended.pool.query(
      "select from marketdata.invalidations where consumer in ('rollups', 'orderbook_topn')",
    )
    expect(rows).toEqual([])
  })
}

test('a late snapshot fills the gap that it belongs after', async () => {
  const [in_time, mended] = [await createTestDatabase(), await createTestDatabase()]
  const holed = [snapshot(100, 100), ...CHANGES.slice(0, 200), ...CHANGES.slice(230)]
  const late = snapshot(200 + 260 * 200, 360)
  await ingest(in_time, [...holed, late])
  await topn(in_time.pool).run(never)
  await ingest(mended, holed)
  const job = topn(mended.pool)
  await job.run(never)
  await ingest(mended, [late])
  await job.run(never)
  expect(await topRows(mended.pool)).toEqual(await topRows(in_time.pool))
})

test('rows whose depth has left Postgres stay as they are', async () => {
  const { pool, ...database } = await createTestDatabase()
  // The hour turns after one second: the snapshot's hour is dropped.
  await ingest({ pool, ...database }, [snapshot(100, 100), ...CHANGES.filter((_, n) => n !== 300)])
  const job = topn(pool)
  await job.run(never)
  const before = await topRows(pool)
  await pool.query(`insert into marketdata.archive (exchange, table_name, hour, version, object_key, row_count, table_row_count,
      byte_count, sha256, checksums, min_ts_exchange, max_ts_exchange, archived_at, dropped_at)
    values ('binance-futures', 'depth_events', '2026-03-01T12:00:00Z', 1, 'k', 2, 2, 1, 's', '{}', now(), now(), now(), now());
    drop table marketdata.depth_events_2026030112`)
  await ingest({ pool, ...database }, CHANGES.slice(300, 301))
  await job.run(never)
  // No snapshot is left from which to follow the book over the gap.
  expect(await topRows(pool)).toEqual(before)
})
