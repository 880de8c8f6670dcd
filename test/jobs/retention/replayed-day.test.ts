/** A replayed day of the past: everything that retention waits for happens without help. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { HOUR_US } from '#core/time.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { planNow, runRetention } from '../../../jobs/retention/run-retention.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { createStand } from '../stand.ts'

const stand = await createStand()
const { pool, store } = stand
const never = new AbortController().signal
let now_ms = Date.parse('2026-03-31T12:00:00Z')
const now = (): number => now_ms
const common = { pool, log: silentLogger, now }
const retention = {
  ...common,
  settings: {
    budget_bytes: 1,
    days: { raw: 0, depth: 0, rollups: 0 },
    clusters_days: 0,
    settle_us: HOUR_US,
  },
}
const topn = createTopnJob({ ...common, cadence: { min_us: 100_000, max_us: 1_000_000 } })

/** What the daemon does within a minute or two. */
async function letTimePass(): Promise<void> {
  for (let run = 0; run < 3; run++) {
    now_ms += 30_000
    await topn.run(never)
    await runRollups({ ...common, signal: never })
  }
}

/** Diffs once a second from :10 to :20; BTCUSDT has a snapshot before them, the other does not. */
async function addDay(): Promise<void> {
  await pool.query(`select marketdata.ensure_hour('depth_events', '2024-08-08T13:00:00Z');
    insert into marketdata.symbols (exchange, symbol) values ('binance-spot', 'BTCUSDT'), ('binance-spot', 'NOBOOK');
    insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, depth_kind, first_update_id, final_update_id, bids, asks)
    select ts, ts, s.id, case when n = 10 and symbol = 'BTCUSDT' then 'snapshot' else 'diff' end, n, n, '{{99,1}}', '{{101,1}}'
    from marketdata.symbols s, generate_series(10, 20) n,
      lateral (select '2024-08-08T13:00:00.25Z'::timestamptz + make_interval(secs => n) as ts) t`)
}

const archive = (): Promise<unknown> =>
  runArchive({ ...common, store, codec: 'zstd', work_dir: join(stand.dir, 'work') })

async function partitions(): Promise<readonly string[]> {
  const { partitions: planned } = await planNow(retention)
  return planned.map(({ state, fate }) => `${state.table_name} ${fate.kind} ${fate.reason}`)
}

test('depth of a replayed day is dropped with its books, once they are made and rolled up to its end', async () => {
  await addDay()
  await archive()
  expect(await partitions()).toEqual(['depth_events keep rollup_behind'])
  await runRollups({ ...common, signal: never })
  expect(await partitions()).toEqual([
    'depth_1s keep not_archived',
    'depth_events keep topn_behind',
  ])
  await letTimePass()
  expect((await partitions()).toSorted()).toEqual([
    'depth_1s keep not_archived',
    'depth_events drop budget',
    'orderbook_topn keep not_archived',
  ])
  await archive()
  expect((await partitions()).toSorted()).toEqual([
    'depth_1s keep within_limits',
    'depth_events drop budget',
    'orderbook_topn drop budget',
  ])
  const { rows } = await pool.query(
    'select sum(diff_count)::int as diffs, sum(book_count)::int as books from marketdata.depth_1s',
  )
  // From 11.3 on, then every second. The last diff shows the book before it, but not after it.
  expect(rows).toEqual([{ diffs: 21, books: 10 }])
  const { dropped } = await runRetention(retention)
  expect(dropped.toSorted()).toEqual(['depth_events_2024080813', 'orderbook_topn_2024080813'])
})
