/** The calculator, and that its constants are what a recording costs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createObjectStore } from '#core/node/object-store.ts'
import { measureSizes } from '../../../bench/sizes/measure.ts'
import {
  COLD_BYTES,
  FEATURE_BYTES,
  HOT_BYTES,
  TAPE_BYTES,
} from '../../../infra/sizing/constants.ts'
import { sizeOf } from '../../../infra/sizing/size.ts'
import { takeBucket } from '../../support/bucket.ts'
import { createTestDatabase } from '../../support/database.ts'
import { atFileEnd } from '../../support/file-end.ts'

const MACHINE = { database_gb: 10, tape_gb: 8.6 }
const LOAD = {
  symbol_count: 200,
  events_per_s: 5_000,
  depth_symbol_count: 20,
  cluster_symbol_count: 0,
}
const feeds = process.env['FEEDS_DIR']

test.skipIf(feeds === undefined)(
  'the constants are within 15 % of what the BTC recording costs',
  async () => {
    const { pool, url } = await createTestDatabase()
    const dir = mkdtempSync(join(tmpdir(), 'booktape-sizes-'))
    atFileEnd(() => rmSync(dir, { recursive: true, force: true }))
    const store = createObjectStore(takeBucket())
    atFileEnd(() => store.close())
    const { tables, tape_bytes } = await measureSizes({
      pool,
      database_url: url,
      store,
      dir,
      recording: join(feeds!, 'binance-usdm-btcusdt-20240808', 'feed.ndjson.gz'),
    })
    const near = (value: number, constant: number, name: string): void =>
      expect(Math.abs(value / constant - 1), `${name}: ${value}, not ${constant}`).toBeLessThan(
        0.15,
      )
    near(tape_bytes, TAPE_BYTES, 'tape')
    for (const name of ['depth_events', 'orderbook_topn', 'bt_1s', 'trade_1s', 'depth_1s'] as const)
      near(tables[name]!.hot_bytes, HOT_BYTES[name], `hot ${name}`)
    // Many symbols in one table need more: their index pages are split in the middle.
    near(tables.book_ticker!.hot_bytes * 1.22, HOT_BYTES.book_ticker, 'hot book_ticker')
    near(tables.trades!.hot_bytes * 1.33, HOT_BYTES.trades, 'hot trades')
    for (const name of Object.keys(COLD_BYTES) as (keyof typeof COLD_BYTES)[])
      near(tables[name]!.cold_bytes!, COLD_BYTES[name], `cold ${name}`)
  },
)

test('events are divided among the channels, and add up', () => {
  const { events } = sizeOf(LOAD, MACHINE)
  expect(events.depth).toBe(200)
  expect(events.mark_prices).toBe(200)
  expect(Object.values(events).reduce((sum, value) => sum + value)).toBeCloseTo(5_000)
  const quiet = sizeOf({ ...LOAD, events_per_s: 100 }, MACHINE).events
  expect(quiet).toEqual({ depth: 100, mark_prices: 0, quotes: 0, trades: 0 })
})

test('a smaller load holds more hours; more storage too; above 10,000 events/s ingestors share it', () => {
  const full = sizeOf(LOAD, MACHINE)
  const half = sizeOf({ ...LOAD, events_per_s: 2_500 }, MACHINE)
  expect(full.postgres.fits).toBe('tight')
  expect(half.postgres.fits).toBe('yes')
  expect(sizeOf({ ...LOAD, events_per_s: 9_000 }, MACHINE).postgres.fits).toBe('no')
  const large = sizeOf(LOAD, { ...MACHINE, database_gb: 25 })
  expect(large.postgres.hot_h / full.postgres.hot_h).toBeCloseTo(2.5)
  expect(half.tape.outage_h / full.tape.outage_h).toBeCloseTo(2)
  expect(sizeOf({ ...LOAD, events_per_s: 10_000 }, MACHINE).ingestor_count).toBe(1)
  expect(sizeOf({ ...LOAD, events_per_s: 10_001 }, MACHINE).ingestor_count).toBe(2)
  expect(full.lake.datasets_gb_per_day).toBeCloseTo((200 * 86_400 * FEATURE_BYTES) / 1e9)
})

test('footprints take a week of minutes from the budget, more for more trades and symbols', () => {
  const without = sizeOf(LOAD, MACHINE)
  const some = sizeOf({ ...LOAD, cluster_symbol_count: 50 }, MACHINE)
  const all = sizeOf({ ...LOAD, cluster_symbol_count: 200 }, MACHINE)
  expect(without.clusters).toEqual({ gb_per_day: 0, gb: 0 })
  expect(all.clusters.gb_per_day / some.clusters.gb_per_day).toBeCloseTo(4)
  expect(all.clusters.gb).toBeCloseTo(7 * all.clusters.gb_per_day)
  expect(without.postgres.budget_gb - all.postgres.budget_gb).toBeCloseTo(all.clusters.gb)
  expect(all.memory_mb.by_day).toBeGreaterThan(without.memory_mb.by_day)
  const busy = { ...LOAD, cluster_symbol_count: 200, events_per_s: 20_000 }
  expect(sizeOf(busy, MACHINE).clusters.gb).toBeGreaterThan(all.clusters.gb)
})
