/** Sizes of real partitions, their growth, and what retention would drop of them. */
import { expect, test } from 'vitest'
import { createPool } from '#core/node/pool.ts'
import { HOUR_US } from '#core/time.ts'
import { statisticsText } from '../../../infra/cli/db-stats.ts'
import { selectStatistics } from '../../../jobs/retention/statistics.ts'
import { createTestDatabase } from '../../support/database.ts'
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'
import { insertListed, insertRows, makeRows } from '../archive/rows.ts'

/** Rows of 2024-08-08T13. */
const NOW_MS = Date.parse('2024-08-08T15:30:00Z')
const unlimited = {
  budget_bytes: 0,
  days: { raw: 0, depth: 0, rollups: 0 },
  clusters_days: 0,
  settle_us: 0,
}

const { pool, url } = await createTestDatabase()
await insertListed(pool)
await insertRows(pool, 'trades', makeRows('trades', 2_000))
await pool.query(`select marketdata.ensure_hour('trades', hour) from
  unnest('{2024-08-08T14:00Z,2024-08-08T15:00Z,2024-08-08T16:00Z}'::timestamptz[]) as hour;
  analyze`)

async function sizeOf(partition: string): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    'select pg_total_relation_size($1)::float8 as bytes',
    [`marketdata.${partition}`],
  )
  return rows[0]!.bytes
}

test('sizes, spans and rows of each table; growth is that of hours that have ended', async () => {
  const { tables, database_bytes, retention } = await selectStatistics(pool, unlimited, NOW_MS)
  const full = await sizeOf('trades_2024080813')
  const empty = await sizeOf('trades_2024080814')
  expect(full).toBeGreaterThan(100_000)
  const trades = tables.find(({ table_name }) => table_name === 'trades')!
  expect(trades).toMatchObject({
    partition_count: 4,
    from: '2024-08-08T13:00:00.000000Z',
    to: '2024-08-08T17:00:00.000000Z',
    byte_count: full + 3 * empty,
    row_count: 2_000,
    bytes_per_hour: (full + empty) / 2,
  })
  expect(tables[0]).toBe(trades)
  expect(trades.index_bytes).toBeGreaterThan(0)
  expect(trades.index_bytes).toBeLessThan(trades.byte_count)
  expect(database_bytes).toBeGreaterThan(trades.byte_count)
  const symbols = tables.find(({ table_name }) => table_name === 'symbols')!
  expect(symbols).toMatchObject({ partition_count: 0, from: null, bytes_per_hour: null })
  expect(retention).toMatchObject({ used_bytes: full + 3 * empty, budget_left_h: null })
})

test('the budget: how long it lasts, and what would go and why', async () => {
  const settings = { ...unlimited, budget_bytes: 10_000_000, settle_us: HOUR_US }
  const before = await selectStatistics(pool, settings, NOW_MS)
  const { used_bytes, budget_left_h, drops } = before.retention
  const growth = before.tables.find(({ table_name }) => table_name === 'trades')!.bytes_per_hour!
  expect(budget_left_h).toBeCloseTo((10_000_000 - used_bytes) / growth, 6)
  // The hour before this one may still get rows; the one before that is not archived.
  expect(drops).toEqual([])
  const later = await selectStatistics(pool, settings, NOW_MS + 3 * 3_600_000)
  const empty = await sizeOf('trades_2024080814')
  expect(later.retention.drops).toEqual([
    { reason: 'empty', partition_count: 3, byte_count: 3 * empty },
  ])
  expect(statisticsText(later)).toMatch(
    /^Retention would drop: 3 partitions, 0\.\d MB \(empty\)\.$/m,
  )
})

test('reading the sizes leaves no lock on any partition', async () => {
  const one = createPool(url, 'test', 1, CONNECT_LIMIT_MS)
  try {
    await one.query('begin')
    const { rows: sizes } = await one.query<{ sum: string }>(
      `select sum(pg_total_relation_size(oid) + pg_indexes_size(oid)) from pg_class
       where relnamespace = 'marketdata'::regnamespace and relkind = 'r'`,
    )
    expect(Number(sizes[0]!.sum)).toBeGreaterThan(0)
    const { rows } = await one.query<{ name: string }>(
      `select relation::regclass::text as name from pg_locks
       where pid = pg_backend_pid() and locktype = 'relation' and relation::regclass::text like '%trades%'`,
    )
    expect(rows).toEqual([])
  } finally {
    await one.end()
  }
})
