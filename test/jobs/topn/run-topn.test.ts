import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { startLoop } from '../../../jobs/runs/loop.ts'
import { VALUE_COLUMNS } from '../../../jobs/topn/row.ts'
import { createTopnJob, TOPN_JOB } from '../../../jobs/topn/run-topn.ts'
import { BTC, FEEDS_DIR, FIVE_COINS } from '../../core/depth-recordings.ts'
import { createTestDatabase } from '../../support/database.ts'
import { loadRecordedDepth } from '../../support/recorded-depth.ts'

const cadence = { min_us: 100_000, max_us: 1_000_000 }
const never = new AbortController().signal

const jobOn = (pool: Pool, now = Date.now) =>
  createTopnJob({ pool, cadence, log: silentLogger, now })

/** Depth of one symbol, at seconds after 2026-03-01T12:59:50Z: [second, kind, U, u, bids]. */
type Made = readonly [number, 'diff' | 'snapshot', number | null, number, string?]

async function addDepth(pool: Pool, symbol_id: number, made: readonly Made[]): Promise<void> {
  await pool.query(`select marketdata.ensure_hour('depth_events', hour) from
    unnest(array['2026-03-01T12:00:00Z', '2026-03-01T13:00:00Z']::timestamptz[]) as hour`)
  for (const [second, depth_kind, first_update_id, final_update_id, bids = '{{99,1}}'] of made) {
    await pool.query(
      `insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, depth_kind,
         first_update_id, final_update_id, bids, asks)
       select ts, ts, $2, $3, $4, $5, $6::float8[], $7::float8[]
       from (select '2026-03-01T12:59:50Z'::timestamptz + make_interval(secs => $1) as ts) t`,
      [
        second,
        symbol_id,
        depth_kind,
        first_update_id,
        final_update_id,
        bids,
        depth_kind === 'snapshot' ? '{{101,1},{102,2}}' : '{}',
      ],
    )
  }
}

async function addSymbol(pool: Pool, symbol: string): Promise<number> {
  const { rows } = await pool.query<{ id: string }>(
    "insert into marketdata.symbols (exchange, symbol) values ('binance-spot', $1) returning id",
    [symbol],
  )
  return Number(rows[0]!.id)
}

async function written(pool: Pool, columns = VALUE_COLUMNS): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', symbol, ts_exchange, final_update_id, ${columns.join(', ')}) as line
     from marketdata.orderbook_topn join marketdata.symbols s on s.id = symbol_id
     order by symbol, ts_exchange`,
  )
  return rows.map((row) => row.line)
}

test('the columns are those of the table, in order', async () => {
  const { pool } = await createTestDatabase()
  const { rows } = await pool.query<{ column_name: string }>(
    `select column_name from information_schema.columns
     where table_schema = 'marketdata' and table_name = 'orderbook_topn' order by ordinal_position`,
  )
  const names = rows.map((row) => row.column_name)
  expect(names).toEqual(['ts_exchange', 'symbol_id', 'final_update_id', ...VALUE_COLUMNS])
})

test('each run continues where the last one ended, over the hour, a gap and a restart', async () => {
  const { pool } = await createTestDatabase()
  const id = await addSymbol(pool, 'AUSDT')
  const parts: readonly (readonly Made[])[] = [
    [
      [0, 'snapshot', null, 10],
      [1.25, 'diff', 11, 11],
      [3, 'diff', 12, 12, '{{98,2}}'],
      [6, 'diff', 13, 13],
    ],
    [
      [9.5, 'diff', 14, 14, '{{97,3}}'],
      [11.25, 'diff', 15, 15],
      [16, 'diff', 20, 20],
      [20, 'diff', 21, 21],
    ],
    [
      [17, 'snapshot', null, 20, '{{90,7}}'],
      [21.5, 'diff', 22, 22, '{{91,8}}'],
      [26, 'diff', 23, 23],
    ],
  ]
  let job = jobOn(pool)
  for (const part of parts) {
    await addDepth(pool, id, part)
    await job.run(never)
    await job.run(never)
  }
  const lines = await written(pool, [
    'b1_price',
    'b2_price',
    'b3_qty',
    'a1_price',
    'i1',
    'microprice',
  ])
  expect(lines).toMatchInlineSnapshot(`
    [
      "AUSDT 2026-03-01 12:59:51.3+00 11 99 101 0 100",
      "AUSDT 2026-03-01 12:59:52+00 11 99 101 0 100",
      "AUSDT 2026-03-01 12:59:53+00 12 99 98 101 0 100",
      "AUSDT 2026-03-01 12:59:54+00 12 99 98 101 0 100",
      "AUSDT 2026-03-01 12:59:55+00 12 99 98 101 0 100",
      "AUSDT 2026-03-01 12:59:56+00 13 99 98 101 0 100",
      "AUSDT 2026-03-01 12:59:57+00 13 99 98 101 0 100",
      "AUSDT 2026-03-01 12:59:58+00 13 99 98 101 0 100",
      "AUSDT 2026-03-01 12:59:59+00 13 99 98 101 0 100",
      "AUSDT 2026-03-01 12:59:59.5+00 14 99 98 3 101 0 100",
      "AUSDT 2026-03-01 13:00:00+00 14 99 98 3 101 0 100",
      "AUSDT 2026-03-01 13:00:01+00 14 99 98 3 101 0 100",
      "AUSDT 2026-03-01 13:00:10+00 21 99 90 101 0 100",
      "AUSDT 2026-03-01 13:00:11+00 21 99 90 101 0 100",
    ]
  `)
  await pool.query('delete from marketdata.orderbook_topn_watermarks')
  job = jobOn(pool)
  await job.run(never)
  expect(
    await written(pool, ['b1_price', 'b2_price', 'b3_qty', 'a1_price', 'i1', 'microprice']),
  ).toEqual(lines)
})

test('a failed symbol does not stop the others and is tried again', async () => {
  const { pool } = await createTestDatabase()
  const [bad, good] = [await addSymbol(pool, 'BADUSDT'), await addSymbol(pool, 'GOODUSDT')]
  const made: readonly Made[] = [
    [0, 'snapshot', null, 10],
    [1, 'diff', 11, 11],
    [9, 'diff', 12, 12],
    [14, 'diff', 13, 13],
  ]
  await addDepth(pool, bad, made)
  await addDepth(pool, good, made)
  const spoil =
    'update marketdata.depth_events set bids = $2 where symbol_id = $1 and final_update_id = 11'
  await pool.query(spoil, [bad, '{1,2}'])
  const job = jobOn(pool)
  await expect(job.run(never)).rejects.toMatchObject({ code: 'topn_failed', retryable: true })
  expect((await written(pool, ['i1'])).every((line) => line.startsWith('GOODUSDT'))).toBe(true)
  await pool.query(spoil, [bad, '{{99,1}}'])
  await job.run(never)
  const lines = await written(pool, ['b1_price'])
  expect(lines.filter((line) => line.startsWith('BAD')).map((line) => line.slice(8))).toEqual(
    lines.filter((line) => line.startsWith('GOOD')).map((line) => line.slice(9)),
  )
  const runs = await pool.query(`select job, job_window, status, row_count, error,
    log_lines -> 0 ->> 'symbol' as failed_symbol from marketdata.job_runs order by id`)
  const words = expect.stringContaining('1 of 2 symbols failed. The first: BADUSDT: ')
  expect(runs.rows).toEqual([
    {
      job: 'orderbook_topn',
      job_window: 'newest',
      status: 'failed',
      row_count: null,
      error: words,
      failed_symbol: 'BADUSDT',
    },
    {
      job: 'orderbook_topn',
      job_window: 'newest',
      status: 'done',
      row_count: String(lines.length / 2),
      error: null,
      failed_symbol: null,
    },
  ])
})

test('two daemons: one writes at a time, the other gets an error; a symbol without a snapshot waits for one', async () => {
  const { pool } = await createTestDatabase()
  const id = await addSymbol(pool, 'AUSDT')
  await addDepth(pool, id, [
    [1, 'diff', 11, 11],
    [9, 'diff', 12, 12],
  ])
  const nothing = { symbol_count: 1, row_count: 0 }
  expect(await jobOn(pool).run(never)).toMatchObject(nothing)
  // The first one waits for this lock while the second one starts.
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query('lock table marketdata.orderbook_topn_watermarks')
  const first = jobOn(pool).run(never)
  const running = "select from marketdata.job_runs where status = 'running'"
  await expect.poll(async () => (await pool.query(running)).rowCount).toBe(1)
  await expect(jobOn(pool).run(never)).rejects.toMatchObject({ code: 'run_in_progress' })
  await holder.query('commit')
  holder.release()
  expect(await first).toMatchObject(nothing)
})

test("an aborted run ends cleanly where it is; rows of yesterday's runs are deleted", async () => {
  const { pool } = await createTestDatabase()
  const id = await addSymbol(pool, 'AUSDT')
  await addDepth(pool, id, [
    [0, 'snapshot', null, 10],
    [1, 'diff', 11, 11],
    [9, 'diff', 12, 12],
    [14, 'diff', 13, 13],
  ])
  const yesterday = Date.now() - 86_401_000
  await jobOn(pool, () => yesterday).run(AbortSignal.abort())
  expect(await written(pool, ['i1'])).toEqual([])
  const statuses = async () =>
    (
      await pool.query(
        "select status, started_at < now() - interval '1 day' as is_old from marketdata.job_runs",
      )
    ).rows
  expect(await statuses()).toEqual([{ status: 'done', is_old: true }])
  await jobOn(pool).run(never)
  expect(await statuses()).toEqual([{ status: 'done', is_old: false }])
  expect((await written(pool, ['i1'])).length).toBeGreaterThan(5)
})

test('the loop writes on its own and ends when it is stopped', async () => {
  const { pool } = await createTestDatabase()
  const id = await addSymbol(pool, 'AUSDT')
  await addDepth(pool, id, [
    [0, 'snapshot', null, 10],
    [1, 'diff', 11, 11],
    [9, 'diff', 12, 12],
  ])
  const loop = startLoop({ job: TOPN_JOB, every_s: 1, run: jobOn(pool).run, log: silentLogger })
  await addDepth(pool, id, [
    [12, 'diff', 13, 13],
    [15, 'diff', 14, 14],
  ])
  await expect.poll(async () => (await written(pool, ['i1'])).length).toBeGreaterThan(7)
  await loop.stop()
  const runs = await pool.query(
    "select from marketdata.job_runs where job = 'orderbook_topn' and status = 'done'",
  )
  expect(runs.rowCount).toBeGreaterThan(0)
})

for (const folder of [BTC, FIVE_COINS]) {
  test.skipIf(FEEDS_DIR === undefined)(
    `${folder}: the same rows at once and in pieces (FEEDS_DIR names the recording)`,
    async () => {
      const [whole, parts] = [await createTestDatabase(), await createTestDatabase()]
      await loadRecordedDepth(whole, folder)
      await loadRecordedDepth(parts, folder)
      const result = await jobOn(whole.pool).run(never)
      expect(result.row_count).toBeGreaterThan(1_000)
      // The recording grows: rows that should not exist yet wait in another table.
      await parts.pool.query(`create table waiting as select * from marketdata.depth_events
      where ts_exchange > (select min(ts_exchange) from marketdata.depth_events)`)
      const { rows } = await parts.pool.query<{ cut: string }>(
        `select percentile_disc(array[0.15, 0.3, 0.55, 0.8, 1]) within group (order by ts_ingest)::text as cut from waiting`,
      )
      await parts.pool.query(
        'delete from marketdata.depth_events where exists (select from waiting where waiting.ts_exchange = depth_events.ts_exchange)',
      )
      let job = jobOn(parts.pool)
      for (const [index, cut] of rows[0]!.cut
        .slice(1, -1)
        .replaceAll('"', '')
        .split(',')
        .entries()) {
        await parts.pool.query(
          'insert into marketdata.depth_events select * from waiting where ts_ingest <= $1 on conflict do nothing',
          [cut],
        )
        if (index === 2) job = jobOn(parts.pool)
        await job.run(never)
      }
      expect(await written(parts.pool)).toEqual(await written(whole.pool))
    },
  )
}
