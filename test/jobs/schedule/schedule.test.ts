/** The real queue in a real Postgres: missed nights, killed daemons, stops. */
import { runMigrations } from 'graphile-worker'
import pino from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { type Client, createPool, type Pool } from '#core/node/pool.ts'
import { addDays, dayOf, dayRange, fromMillis, type Day } from '#core/time.ts'
import { startExchange } from '../../../infra/exchange/server.ts'
import { parseBackupSettings } from '../../../jobs/backup/settings.ts'
import { parseRetentionSettings } from '../../../jobs/retention/settings.ts'
import { parsePayload } from '../../../jobs/schedule/day-tasks.ts'
import { runHeavyTask } from '../../../jobs/schedule/heavy-task.ts'
import { createConnectionBudget, DAEMON_CONNECTIONS } from '../../../jobs/schedule/connections.ts'
import {
  startSchedule,
  type Schedule,
  type ScheduleOptions,
} from '../../../jobs/schedule/schedule.ts'
import { readManifest, versionOf } from '../../support/published.ts'
import { insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { createStand, NOON, type Stand } from '../stand.ts'
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'

const today = dayOf(fromMillis(Date.now()))
const yesterday = addDays(today, -1)
const running: Schedule[] = []
const pools: Pool[] = []
afterEach(async () => {
  for (const schedule of running.splice(0)) await schedule.stop()
  for (const pool of pools.splice(0)) await pool.end()
})

async function start(stand: Stand, options: Partial<ScheduleOptions> = {}): Promise<Schedule> {
  const common = {
    pool: stand.pool,
    store: stand.store,
    work_dir: stand.dir,
    keep_replaced_h: 24,
    features: { thread_count: 0, symbols_100ms: [] },
    datasets: { lob_symbols: [], depth_symbols: [] },
    retention: parseRetentionSettings({}),
    backup: parseBackupSettings({}),
    backs_up: true,
    lake: { keep_ms: 7 * 86_400_000 },
    log: silentLogger,
    now: Date.now,
    ...options,
  }
  const schedule = await startSchedule({
    connections: createConnectionBudget(),
    intraday_features_s: 0,
    index_prices: undefined,
    runHeavy: (task, signal) => runHeavyTask(common, task, signal),
    ...common,
  })
  running.push(schedule)
  return schedule
}

/** A stand with one quote in the last seconds of each day, and the pool that the queue needs. */
async function standWithDays(...days: readonly Day[]): Promise<Stand> {
  const stand = await createStand()
  const pool = createPool(stand.database_url, 'test', 14, CONNECT_LIMIT_MS)
  pools.push(pool)
  await insertSymbols(pool, ['BTCUSDT'])
  for (const day of days) {
    const ts = dayRange(day).to - 2e6
    await insertQuotes(pool, [
      { symbol: 'BTCUSDT', ts, id: 1, bid: 1, bid_qty: 1, ask: 2, ask_qty: 1 },
    ])
  }
  return { ...stand, pool }
}

/** Other jobs run every five minutes of the clock, so possibly during a test. */
async function runsOf(stand: Stand, job = 'features'): Promise<readonly Record<string, unknown>[]> {
  const { rows } = await stand.pool.query(
    `select job_window, status, attempt from marketdata.job_runs
     where job = $1 order by job_window, id`,
    [job],
  )
  return rows
}

async function addJob(stand: Stand, date: string): Promise<void> {
  await stand.pool.query(
    "select graphile_worker.add_job('features', json_build_object('date', $1::text))",
    [date],
  )
}

/** That the nightly jobs publish for a day, besides clusters. */
const DATASETS = [
  'features_1s',
  'labels_1s',
  'candles',
  'trades',
  'quotes',
  'bars',
  'labels_barrier',
  'signals',
]

test('nights missed during downtime are made up for at the next start, each for its own day', async () => {
  const stand = await standWithDays(addDays(today, -3), addDays(today, -2), yesterday)
  await runMigrations({ pgPool: stand.pool })
  // The last run was due at 00:10 three days ago.
  await stand.pool.query(
    `insert into graphile_worker._private_known_crontabs (identifier, known_since, last_execution)
     select 'nightly_' || job, $1, $2 from unnest(array['features', 'datasets']) as job`,
    [
      new Date(dayRange(addDays(today, -9)).from / 1e3),
      new Date(dayRange(addDays(today, -2)).from / 1e3 - 1),
    ],
  )
  await start(stand)
  const due = [addDays(today, -3), addDays(today, -2)]
  // Tonight's run is due only after 00:10.
  if (Date.now() * 1e3 >= dayRange(today).from + 601e6) due.push(yesterday)
  await expect
    .poll(() => runsOf(stand))
    .toEqual(due.map((job_window) => ({ job_window, status: 'done', attempt: 1 })))
  await expect
    .poll(async () => (await stand.pool.query('select 1 from graphile_worker.jobs')).rowCount)
    .toBe(0)
  expect(await stand.store.list('datasets/features_1s/v4/')).toHaveLength(4 * due.length)
  for (const dataset of ['candles', 'quotes', 'trades']) {
    const version = versionOf(dataset)
    const keys = (await stand.store.list(`datasets/${dataset}/`)).map(({ key }) => key)
    expect(keys.filter((key) => key.endsWith('/manifest.json'))).toEqual(
      due.map((date) => `datasets/${dataset}/v${version}/date=${date}/manifest.json`),
    )
  }
})

test('a late trade of an archived hour: the archive, then every dataset of its day, without help', async () => {
  const date = addDays(today, -2)
  const stand = await standWithDays(date)
  await start(stand)
  const countOf = async (rows: string): Promise<number | null> =>
    (await stand.pool.query(`select from ${rows}`)).rowCount
  const done = async (run: () => Promise<unknown>): Promise<void> => {
    await run()
    await expect.poll(() => countOf('graphile_worker.jobs')).toBe(0)
  }
  const add = (job: string): Promise<unknown> =>
    stand.pool.query('select graphile_worker.add_job($1, $2)', [job, { date }])
  await done(() => add('features'))
  await done(() => add('datasets'))
  await done(() => add('archive'))
  await done(() => add('stale_days'))
  expect(await countOf("marketdata.job_runs where job in ('features', 'datasets')")).toBe(2)

  const ts = dayRange(date).to - 3e6
  await insertTrades(stand.pool, [
    { symbol: 'BTCUSDT', ts, id: 1, price: 7, qty: 2, is_buyer_maker: false },
  ])
  await stand.pool.query(
    `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
     select 'archive', 'trades', id, $1, $1 from marketdata.symbols`,
    [new Date(ts / 1e3)],
  )
  await done(() => add('archive'))
  // The first row has no newer version: the archive holds one row more.
  await done(() => add('stale_days'))
  expect(
    await countOf("marketdata.job_runs where job in ('features', 'datasets') and status = 'done'"),
  ).toBe(4)
  for (const dataset of DATASETS) {
    expect(
      (await readManifest(stand.store, dataset, versionOf(dataset), date))!.coverage,
    ).toMatchObject([{ trade_count: 1 }])
  }
  await done(() => add('stale_days'))
  expect(await countOf("marketdata.job_runs where job in ('features', 'datasets')")).toBe(4)
})

test('a run from the crontab is for the day before its due time; a manual run names its day', () => {
  expect(parsePayload({ _cron: { ts: '2024-03-01T00:10:00.000Z' } })).toEqual({
    date: '2024-02-29',
    intraday: false,
  })
  expect(parsePayload({ date: '2024-08-08', intraday: true })).toEqual({
    date: '2024-08-08',
    intraday: true,
  })
  for (const wrong of [
    undefined,
    null,
    {},
    { date: '2024-02-30' },
    { date: 5 },
    { _cron: { ts: 'soon' } },
  ]) {
    expect(() => parsePayload(wrong)).toThrow('needs a date')
  }
})

test('a temporary failure is tried again later; one that retrying cannot fix is not', async () => {
  const stand = await standWithDays(yesterday)
  const broken = { ...stand.store, putFile: () => Promise.reject(new Error('the store is down')) }
  await start(stand, { store: broken })
  await addJob(stand, yesterday)
  await addJob(stand, '2001-01-01')
  // The first retry waits e seconds.
  await expect
    .poll(() => runsOf(stand))
    .toMatchObject([
      { job_window: '2001-01-01', status: 'failed', attempt: 1 },
      { job_window: yesterday, status: 'failed', attempt: 1 },
      { job_window: yesterday, status: 'failed', attempt: 2 },
    ])
  const { rows } = await stand.pool.query('select last_error from graphile_worker.jobs')
  expect(rows).toEqual([{ last_error: expect.stringContaining('the store is down') }])
})

test('the current day is rebuilt repeatedly, once it has data', async () => {
  const stand = await standWithDays()
  await start(stand, { intraday_features_s: 1, now: () => NOON })
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect(await runsOf(stand)).toEqual([])
  const ts = NOON * 1e3
  await insertQuotes(stand.pool, [
    { symbol: 'BTCUSDT', ts, id: 1, bid: 1, bid_qty: 1, ask: 2, ask_qty: 1 },
  ])
  await expect
    .poll(async () => (await runsOf(stand)).filter(({ status }) => status === 'done').length)
    .toBeGreaterThanOrEqual(2)
  const latest = Buffer.from(
    (await stand.store.get('datasets/features_1s/latest.json'))!,
  ).toString()
  expect(JSON.parse(latest)).toMatchObject({ date: '2024-08-20', complete: false })
})

test('a job held by a killed daemon runs at the next start, not in four hours', async () => {
  const stand = await standWithDays(yesterday)
  await runMigrations({ pgPool: stand.pool })
  await addJob(stand, yesterday)
  await stand.pool.query(
    "update graphile_worker._private_jobs set locked_by = 'worker-of-the-dead', locked_at = now(), attempts = 1",
  )
  await start(stand)
  await expect
    .poll(() => runsOf(stand))
    .toEqual([{ job_window: yesterday, status: 'done', attempt: 2 }])
})

test('a job that ends while Postgres accepts no connection is completed later and runs once', async () => {
  const stand = await standWithDays()
  const pool = createPool(stand.database_url, 'test', DAEMON_CONNECTIONS, CONNECT_LIMIT_MS)
  pools.push(pool)
  const warnings: unknown[] = []
  const log = pino({ level: 'warn' }, { write: (line) => warnings.push(JSON.parse(line)) })
  const held: Client[] = []
  let run_count = 0
  const runHeavy = async (): Promise<void> => {
    run_count += 1
    // All but those of the daemon's lock and the queue's LISTEN.
    while (held.length < DAEMON_CONNECTIONS - 2) held.push(await pool.connect())
    pool.options.connectionTimeoutMillis = 100
  }
  const schedule = await start({ ...stand, pool }, { log, runHeavy })
  const onEnd = vi.fn<() => void>()
  void schedule.ended.finally(onEnd)
  await addJob(stand, yesterday)
  const waits = { code: 'queue_waits', error: expect.stringContaining('timeout exceeded') }
  await expect.poll(() => warnings).toContainEqual(expect.objectContaining(waits))
  pool.options.connectionTimeoutMillis = CONNECT_LIMIT_MS
  for (const client of held) client.release()
  await expect
    .poll(async () => (await stand.pool.query('select 1 from graphile_worker.jobs')).rowCount)
    .toBe(0)
  expect(run_count).toBe(1)
  expect(onEnd).not.toHaveBeenCalled()
})

test('a stop during a run ends it at once, publishes nothing and keeps the job', async () => {
  const stand = await standWithDays(yesterday)
  // Stops while the first file of the day is being uploaded.
  const store = {
    ...stand.store,
    putFile: (...args: Parameters<typeof stand.store.putFile>) => {
      void schedule.stop()
      return stand.store.putFile(...args)
    },
  }
  const schedule: Schedule = await start(stand, { store })
  running.pop()
  await addJob(stand, yesterday)
  await schedule.ended
  expect(await runsOf(stand)).toMatchObject([{ job_window: yesterday, status: 'failed' }])
  const keys = (await stand.store.list('')).map(({ key }) => key)
  expect(keys.filter((key) => /\/(manifest|latest)\.json$/.test(key))).toEqual([])
  const { rowCount } = await stand.pool.query(
    'select 1 from graphile_worker.jobs where attempts = 1',
  )
  expect(rowCount).toBe(1)
})

test('index prices are polled independently of other jobs, and a failed poll is only a failed run', async () => {
  const stand = await standWithDays()
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 3, symbols: 2, events_per_s: 50 },
  })
  const countOf = async (rows: string): Promise<number | null> =>
    (await stand.pool.query(`select from ${rows}`)).rowCount
  await start(stand, { index_prices: { rest_url: exchange.url, names: ['btc_usd'] } })
  // The crontab would add it in the next minute.
  const poll = "select graphile_worker.add_job('index_prices')"
  await stand.pool.query(poll)
  await expect.poll(() => countOf("marketdata.prices where ticker = 'btc_usd'")).toBeGreaterThan(0)
  await exchange.stop()
  await stand.pool.query(poll)
  await expect.poll(() => countOf("marketdata.job_runs where status = 'failed'")).toBeGreaterThan(0)
  await expect.poll(() => countOf('graphile_worker.jobs')).toBe(0)
})

test('due hours are archived, and then dropped if the budget requires it', async () => {
  // Yesterday's last hour is due only after 01:00.
  const day = addDays(today, -2)
  const stand = await standWithDays(day)
  const retention = parseRetentionSettings({ RAW_DISK_BUDGET_GB: '0.000000001' })
  await start(stand, { retention })
  await stand.pool.query(
    "select graphile_worker.add_job('archive', queue_name := 'archive'), graphile_worker.add_job('retention', queue_name := 'archive')",
  )
  const window = `book_ticker ${day}T23`
  await expect
    .poll(() => runsOf(stand, 'archive'))
    .toMatchObject([{ job_window: window, status: 'done' }])
  await expect
    .poll(async () => (await runsOf(stand, 'retention'))[0])
    .toMatchObject({ status: 'done' })
  const { rows } = await stand.pool.query(
    'select row_count::int, table_row_count::int from marketdata.archive',
  )
  // The rollups are not that far yet, and nothing is dropped before they have read it.
  expect(rows).toEqual([{ row_count: 1, table_row_count: 1 }])
  await stand.pool.query("update marketdata.rollup_watermarks set watermark = 'infinity'")
  await stand.pool.query("select graphile_worker.add_job('retention', queue_name := 'archive')")
  await expect
    .poll(
      async () =>
        (await stand.pool.query('select table_row_count::int from marketdata.archive')).rows,
    )
    .toEqual([{ table_row_count: 0 }])
})
