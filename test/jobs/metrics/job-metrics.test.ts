/** Metrics of the jobs daemon, as a scrape reads them. */
import { expect, test } from 'vitest'
import { OperatorError } from '#core/errors.ts'
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { latestKey } from '#core/object-keys.ts'
import { runMigrations } from 'graphile-worker'
import { createJobMetrics } from '../../../jobs/metrics/job-metrics.ts'
import { parseRetentionSettings } from '../../../jobs/retention/settings.ts'
import { runJob } from '../../../jobs/runs/run.ts'
import { createStand, NOON, type Stand } from '../stand.ts'

function metricsOf({ pool, store }: Pick<Stand, 'pool' | 'store'>) {
  return createJobMetrics({
    pool,
    store,
    retention: parseRetentionSettings({ RAW_DISK_BUDGET_GB: '1' }),
    jobs: ['archive', 'rollups'],
    log: silentLogger,
    now: () => NOON,
  })
}

/** Of one metric: by its labels as they are written. */
function valuesOf(text: string, name: string): Record<string, number> {
  const lines = text.matchAll(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`, 'gm'))
  return Object.fromEntries([...lines].map(([, labels = '', value]) => [labels, Number(value)]))
}

test('runs, queue, archive, retention, rollups and datasets in one scrape', async () => {
  const stand = await createStand()
  const { pool, store } = stand
  await runMigrations({ pgPool: pool })
  const metrics = metricsOf(stand)
  const run = { job: 'archive', attempt: 1, now: Date.now, log: silentLogger }
  await runJob(pool, { ...run, job_window: 'a' }, async () => ({ row_count: 7, byte_count: 50 }))
  const refused = runJob(pool, { ...run, job_window: 'b' }, async () => {
    throw new OperatorError('no', 'This one fails.')
  })
  await expect(refused).rejects.toThrow('This one fails.')
  await pool.query("select graphile_worker.add_job('archive', job_key := 'one')")
  await pool.query("select marketdata.ensure_hour('trades', '2024-08-20T06:30:00Z')")
  const { rows } = await pool.query<{ id: string }>(
    `insert into marketdata.symbols (exchange, symbol) values ('binance-futures', 'BTCUSDT')
     returning id`,
  )
  await pool.query(
    `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty,
       is_buyer_maker)
     values ('2024-08-20T06:30:00Z', '2024-08-20T06:30:00Z', $1, 1, 1, 1, true)`,
    [rows[0]!.id],
  )
  await pool.query(
    `insert into marketdata.stream_offsets (ingestor_id, symbol_id, channel, began_ts, ts_exchange,
       ts_ingest)
     select 'local', $1, channel, '2024-08-20T06:25:00Z', '2024-08-20T06:30:00Z',
       '2024-08-20T06:30:00Z'
     from (values ('trades'), ('book_ticker')) recorded (channel)`,
    [rows[0]!.id],
  )
  await pool.query(
    `update marketdata.rollup_watermarks set watermark = '2024-08-20T06:28:20Z'
     where rollup = 'trade_1s'`,
  )
  const latest = { dataset: 'candles', schema_version: 1, date: '2024-08-19', complete: true }
  await store.put(latestKey('candles'), JSON.stringify(latest), 'application/json')

  const text = await metrics.text()
  const archive = 'job_name="archive"'
  expect(valuesOf(text, 'jobs_runs_total')).toEqual({
    [`{${archive},status="done"}`]: 1,
    [`{${archive},status="failed"}`]: 1,
  })
  expect(valuesOf(text, 'jobs_run_duration_seconds_count')).toEqual({ [`{${archive}}`]: 2 })
  expect(valuesOf(text, 'jobs_rows_written_total')).toEqual({ [`{${archive}}`]: 7 })
  expect(valuesOf(text, 'jobs_published_bytes_total')).toEqual({ [`{${archive}}`]: 50 })
  expect(valuesOf(text, 'jobs_failing_windows')).toEqual({ [`{${archive}}`]: 1 })
  const success = valuesOf(text, 'jobs_last_success_timestamp_seconds')
  expect(Object.keys(success)).toEqual([`{${archive}}`])
  expect(Math.abs(success[`{${archive}}`]! - Date.now() / 1_000)).toBeLessThan(60)
  expect(valuesOf(text, 'jobs_queue_jobs')).toMatchObject({ '{state="due"}': 1 })
  // No quote was rolled up yet.
  expect(valuesOf(text, 'jobs_rollup_lag_seconds')).toEqual({
    '{rollup="trade_1s"}': 100,
    '{rollup="bt_1s"}': 300,
  })
  expect(valuesOf(text, 'jobs_archive_due')).toEqual({ '': 1 })
  // Due from 08:00 on, an hour after its end.
  expect(valuesOf(text, 'jobs_archive_lag_seconds')).toEqual({ '': 4 * 3_600 })
  expect(valuesOf(text, 'jobs_retention_partitions')).toEqual({
    '{kind="keep",reason="not_archived"}': 1,
  })
  expect(valuesOf(text, 'jobs_hourly_partitions_budget_bytes')).toEqual({ '': 1e9 })
  expect(valuesOf(text, 'jobs_dataset_age_seconds')).toEqual({ '{dataset="candles"}': 12 * 3_600 })
  expect(valuesOf(text, 'jobs_database_up')).toEqual({ '': 1 })
  expect(valuesOf(text, 'jobs_object_store_up')).toEqual({ '': 1 })

  // The first refresh of quotes has passed ten minutes of the hour, in which nothing was recorded.
  await pool.query(
    `update marketdata.rollup_watermarks set watermark = '2024-08-20T06:10:00Z'
     where rollup = 'bt_1s'`,
  )
  expect(valuesOf(await metricsOf(stand).text(), 'jobs_rollup_lag_seconds')).toMatchObject({
    '{rollup="bt_1s"}': 300,
  })
})

test('what cannot be read is absent, not zero', async () => {
  const { store_config } = await createStand()
  const pool = createPool('postgres://u:p@127.0.0.1:1/db', 'test', 1, 1_000)
  const store = createObjectStore({ ...store_config, endpoint: 'http://127.0.0.1:1' })
  const text = await metricsOf({ pool, store }).text()
  store.close()
  await pool.end()
  expect(valuesOf(text, 'jobs_database_up')).toEqual({ '': 0 })
  expect(valuesOf(text, 'jobs_object_store_up')).toEqual({ '': 0 })
  for (const name of ['jobs_database_bytes', 'jobs_archive_lag_seconds', 'jobs_queue_jobs']) {
    expect(valuesOf(text, name), name).toEqual({})
  }
})
