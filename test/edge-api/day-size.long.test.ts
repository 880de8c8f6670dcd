/**
 * A day of signals and of resting liquidity in real workerd, from the archive and with an empty
 * cache: the rows that Postgres had, in answers of a bounded size.
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startWorker } from '../../infra/local/worker.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { runDatasets } from '../../jobs/datasets/run-datasets.ts'
import { dropPartition } from '../../jobs/retention/drop.ts'
import { selectPartitions } from '../../jobs/retention/partitions.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { createSignalsJob } from '../../jobs/signals/run-signals.ts'
import { createTopnJob } from '../../jobs/topn/run-topn.ts'
import { parseDay } from '#core/time.ts'
import { insertTape } from '../jobs/signals/market.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { startClockedEdge } from './clocked-edge.ts'

/** Of the only recorded day. */
const DAY = '2024-08-08'
const RANGE = `from=${DAY}&to=2024-08-09`
const ANSWER_BYTES_MAX = 8 << 20

const { edge, pool, store, clock, ask, work_dir, common } =
  await startClockedEdge('2024-08-09T03:00:00Z')
const { signal } = new AbortController()

interface Page {
  readonly next: string | null
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

async function all(
  fetchPage: (path: string) => Promise<Response>,
  path: string,
): Promise<Page['rows']> {
  const rows: Page['rows'][number][] = []
  for (let next: string | null = path; next !== null;) {
    const answer = await fetchPage(next)
    const text = await answer.text()
    expect([next, answer.status, answer.ok ? '' : text]).toEqual([next, 200, ''])
    expect(text.length).toBeLessThan(ANSWER_BYTES_MAX)
    const page = JSON.parse(text) as Partial<Page> & Pick<Page, 'rows'>
    rows.push(...page.rows)
    next = page.next ?? null
  }
  return rows
}

test('in workerd: a day of signals and of the heatmap, from the archive', async () => {
  await insertTape(pool, 'BTCUSDT', 4, `${DAY}T00:00:00Z`, 1_440)
  await pool.query('update marketdata.symbols set step_size = 0.001')
  const topn = createTopnJob({ ...common, cadence: { min_us: 1_000_000, max_us: 1_000_000 } })
  await topn.run(signal)
  await runRollups({ ...common, signal })
  const signals = { ...common, store, keep_days: 30, has_webhook: false }
  await createSignalsJob({ ...signals, symbols: ['BTCUSDT'] }).run(signal)
  const paths = {
    signals: `/v1/signals/BTCUSDT?${RANGE}&limit=1000`,
    minutes: `/v1/heatmap/BTCUSDT?${RANGE}&interval=1m&bin=10`,
    five: `/v1/heatmap/BTCUSDT?${RANGE}&interval=5m&bin=1`,
  }
  const hot = {
    signals: await all(ask, paths.signals),
    minutes: await all(ask, paths.minutes),
    five: await all(ask, paths.five),
  }
  expect(hot.signals.length).toBeGreaterThan(3_000)
  expect([hot.minutes.length, hot.five.length]).toEqual([1_440, 288])
  await runArchive({ ...common, store, work_dir, codec: 'zstd' })
  const of_day = { pool, store, date: parseDay(DAY)!, work_dir, log: common.log, now: common.now }
  await runDatasets(of_day)
  for (const state of await selectPartitions(pool)) {
    await dropPartition(pool, state).catch(() => undefined)
  }
  clock.now_ms = Date.parse('2024-09-30T00:00:00Z')
  await createSignalsJob({ ...signals, symbols: [] }).run(signal)
  // The last hour of the books stays: nothing came after it, so it may have more.
  for (const table of ['orderbook_topn', 'depth_events', 'trades']) {
    const { rowCount } = await pool.query(
      `select from marketdata.${table} where ts_exchange < '2024-08-08T23:00Z'`,
    )
    expect(rowCount, table).toBe(0)
  }
  // Those of the bars that end at midnight have the next day's first time, which is no dataset yet.
  const kept = await pool.query(`select from marketdata.signals where ts < '2024-08-09'`)
  expect(kept.rowCount).toBe(0)
  const worker = await startWorker({
    port: 0,
    bundle: await workerBundle(),
    bindings: { ...edge.bindings, PUBLIC_READ: 'read' },
    persist_dir: join(work_dir, 'miniflare'),
  })
  try {
    const base = worker.url.replace(/\/$/, '')
    const cold = (path: string): Promise<Response> => fetch(base + path)
    expect(await all(cold, paths.minutes)).toEqual(hot.minutes)
    expect(await all(cold, paths.five)).toEqual(hot.five)
    // The dataset also has the signals of the last bars, which the job had not seen to end.
    const known_to = String(hot.signals.at(-1)!['ts'])
    const found = await all(cold, paths.signals)
    expect(found.filter(({ ts }) => String(ts) <= known_to)).toEqual(hot.signals)
  } finally {
    await worker.stop()
  }
})
