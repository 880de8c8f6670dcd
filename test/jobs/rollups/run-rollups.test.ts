import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { momentArgument } from '../../../infra/cli/rollups.ts'
import { ROLLUPS } from '../../../jobs/rollups/rollup.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { selectRuns } from '../../../jobs/runs/run-list.ts'
import { createTestDatabase } from '../../support/database.ts'
import { after, ingest, never, randomEntries, recomputed, rowsOf, seeded } from './support.ts'

const options = (pool: Pool, now_ms: number) => {
  const now = () => Number(after(now_ms)) / 1_000
  return { pool, log: silentLogger, now, signal: never }
}

test('a run brings all three up to date and records itself; late rows are in its log', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, randomEntries(seeded(51), 300, 200_000))
  const { row_count } = await runRollups(options(pool, 500_000))
  expect(row_count).toBeGreaterThan(200)
  await ingest(database, randomEntries(seeded(52), 30, 200_000))
  await runRollups(options(pool, 530_000))
  for (const rollup of ROLLUPS)
    expect(await rowsOf(pool, rollup)).toEqual(await recomputed(pool, rollup))
  const runs = await selectRuns(pool, 10)
  expect(runs).toMatchObject([
    { job: 'rollups', job_window: 'newest', status: 'done' },
    { job: 'rollups', job_window: 'newest', status: 'done', row_count: String(row_count) },
  ])
  const { rows } = await pool.query<{ msg: string }>(
    `select line ->> 'msg' as msg from marketdata.job_runs, jsonb_array_elements(log_lines) as line`,
  )
  expect(new Set(rows.map(({ msg }) => msg))).toEqual(new Set(['Recomputed for late rows.']))
})

test('a failed rollup does not stop the others; its run names it, and the next run continues', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, randomEntries(seeded(53), 300, 200_000))
  await pool.query('alter table marketdata.trade_1s add constraint broken check (volume < 0)')
  await expect(runRollups(options(pool, 500_000))).rejects.toThrow(/trade_1s: .*broken/)
  expect((await rowsOf(pool, ROLLUPS[2]!)).length).toBeGreaterThan(50)
  expect(await selectRuns(pool, 1)).toMatchObject([{ status: 'failed' }])
  await pool.query('drop table if exists marketdata.trade_1s_20260301')
  await pool.query('alter table marketdata.trade_1s drop constraint broken')
  await runRollups(options(pool, 500_000))
  for (const rollup of ROLLUPS)
    expect(await rowsOf(pool, rollup)).toEqual(await recomputed(pool, rollup))
})

test('a window given by hand repairs altered rows', async () => {
  const database = await createTestDatabase()
  const { pool } = database
  await ingest(database, randomEntries(seeded(54), 200, 200_000))
  await runRollups(options(pool, 500_000))
  await pool.query(
    'delete from marketdata.trade_1s; update marketdata.depth_1s set diff_count = 99',
  )
  const window = { from: momentArgument('2026-03-01T12:00:00Z'), to: after(500_000) }
  await runRollups({ ...options(pool, 500_000), window })
  for (const rollup of ROLLUPS)
    expect(await rowsOf(pool, rollup)).toEqual(await recomputed(pool, rollup))
  const [run] = await selectRuns(pool, 1)
  expect(run!.job_window).toBe('2026-03-01T12:00:00.000000Z/2026-03-01T13:08:19.500000Z')
})

test('a time without a zone is refused', () => {
  for (const text of ['2026-03-01T12:00:00', '2026-03-01', 'yesterday', '2026-13-01T00:00:00Z']) {
    expect(() => momentArgument(text), text).toThrow('such as 2026-03-01T12:00:00Z')
  }
})
