/** Datasets of imported facts: from files of Binance's archive to published days and the lake. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Latest, Manifest } from '#core/dataset.ts'
import { silentLogger } from '#core/node/log.ts'
import { datasetFileKey, latestKey, manifestKey } from '#core/object-keys.ts'
import { type Day, parseDay } from '#core/time.ts'
import { putFile, zipOf } from '../../../bench/import/zip.ts'
import { PUBLISHED } from '../../../jobs/datasets/published.ts'
import { runFacts } from '../../../jobs/datasets/run-facts.ts'
import { selectStaleDays } from '../../../jobs/datasets/stale-days.ts'
import { runVerify } from '../../../jobs/datasets/verify/run-verify.ts'
import { folderOf, run, wanted } from '../import/made-files.ts'
import { runLakeJob } from '../lake/commits.ts'
import { readMetadata, readTable } from '../lake/icebird.ts'
import { createStand, readWithDuckDb, type Stand } from '../stand.ts'

const FIRST = '2024-03-29'
const at = (date: string): number => Date.parse(`${date}T00:00:00Z`)
const text = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)

const put = (stand: Stand, path: string, lines: readonly string[]): Promise<void> =>
  putFile(folderOf(stand), `data/futures/um/${path}`, zipOf('a.csv', `${lines.join('\n')}\n`))

/** Of five-minute steps from 00:05 to 00:00 of the next day, as the archive has them. */
const metrics = (date: string, value: number, symbol = 'BTCUSDT'): readonly string[] =>
  range(288).map((i) => {
    const ratio = i === 3 ? '' : '1.5'
    return `${text(at(date) + (i + 1) * 300_000)},${symbol},${value}.123,${value}00000.25,${ratio},1.1,0.9,1.01`
  })
const putMetrics = (
  stand: Stand,
  date: string,
  lines: readonly string[],
  symbol = 'BTCUSDT',
): Promise<void> =>
  put(stand, `daily/metrics/${symbol}/${symbol}-metrics-${date}.zip`, [
    'create_time,symbol,sum_open_interest',
    ...lines,
  ])

const of = (from: string, kind: string, symbols = ['BTCUSDT'], to = from) =>
  wanted(from, to, { kinds: [kind], symbols })

async function facts(stand: Stand, date: string, which: 'changed' | 'all' = 'changed') {
  const { pool, store, dir } = stand
  const work_dir = join(dir, 'work')
  const day = parseDay(date)!
  return runFacts({ pool, store, work_dir, date: day, which, log: silentLogger, now: Date.now })
}

async function readJson<T>({ store }: Stand, key: string): Promise<T | undefined> {
  const bytes = await store.get(key)
  return bytes && (JSON.parse(Buffer.from(bytes).toString('utf8')) as T)
}
const manifestOf = (stand: Stand, dataset: string, date: string): Promise<Manifest | undefined> =>
  readJson(stand, manifestKey(dataset, 1, date as Day))

const verify = async ({ pool, store, dir }: Stand, dataset: string, date: string) => {
  const work_dir = join(dir, 'work')
  const day = parseDay(date)!
  const options = { pool, store, dataset, date: day, work_dir, log: silentLogger, now: Date.now }
  return (await runVerify(options)).findings
}

const due = async ({ pool, store }: Stand): Promise<readonly string[]> =>
  (await selectStaleDays(pool, store, Date.now())).map(
    ({ job, date, why }) => `${job} ${date}: ${why}`,
  )

test('a day is published if it was imported, by table, and a rebuild has the same bytes', async () => {
  const stand = await createStand()
  await putMetrics(stand, FIRST, metrics(FIRST, 80_000))
  await putMetrics(stand, FIRST, metrics(FIRST, 7, 'ETHUSDT'), 'ETHUSDT')
  const minutes = range(1_440).filter((minute) => minute !== 700)
  const candle = (minute: number): string => {
    const ms = at(FIRST) + minute * 60_000
    return `${ms},100,102,99,101.${minute},7,${ms + 59_999},700,${minute},3,300,0`
  }
  await put(stand, `daily/klines/BTCUSDT/1m/BTCUSDT-1m-${FIRST}.zip`, minutes.map(candle))
  const hours = range(24).map((hour) => candle(hour * 60))
  await put(stand, `daily/klines/BTCUSDT/1h/BTCUSDT-1h-${FIRST}.zip`, hours)
  const depth = range(2_880).flatMap((i) =>
    [-5, -1, 1, 5].map((p) => `${text(at(FIRST) + i * 30_000)},${p},${100 + p},${6_000_000 + p}`),
  )
  await put(stand, `daily/bookDepth/BTCUSDT/BTCUSDT-bookDepth-${FIRST}.zip`, depth)
  const month_ms = at('2024-03-01')
  const paid = range(93).map((i) => `${month_ms + i * 28_800_000 + (i % 3)},8,0.0001`)
  await put(stand, 'monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-03.zip', paid)
  for (const kind of ['klines', 'klines_1h', 'bookDepth', 'fundingRate']) {
    await run(stand, of(FIRST, kind))
  }
  await run(stand, of(FIRST, 'metrics', ['BTCUSDT', 'ETHUSDT']))

  const all_due = await due(stand)
  expect(all_due).toHaveLength(31)
  expect(all_due.filter((one) => one.includes(FIRST))).toEqual([
    `facts ${FIRST}: imports changed book_depth, funding_rates, klines, open_interest`,
  ])
  const { sets } = await facts(stand, FIRST)
  expect(sets.map(({ dataset, row_count }) => [dataset, row_count])).toEqual([
    ['klines', 1_463],
    ['open_interest', 287 * 2],
    ['funding_rates', 3],
    ['book_depth', 11_520],
  ])
  for (const { dataset } of sets) expect(await verify(stand, dataset, FIRST), dataset).toEqual([])

  const interest = (await manifestOf(stand, 'open_interest', FIRST))!
  expect(interest).toMatchObject({ complete: true, row_count: 574 })
  expect(interest.inputs!.files!.map(({ kind, finding }) => [kind, finding])).toEqual([
    ['metrics', null],
    ['metrics', null],
  ])
  expect(
    interest.coverage.map(({ symbol, row_count, missing_s }) => [symbol, row_count, missing_s]),
  ).toEqual([
    ['BTCUSDT', 287, 0],
    ['ETHUSDT', 287, 0],
  ])
  const klines = (await manifestOf(stand, 'klines', FIRST))!
  expect(klines.coverage[0]).toMatchObject({ row_count: 1_463, missing_s: 60 })
  expect(klines.inputs!.files!.map(({ kind, finding }) => [kind, finding])).toEqual([
    ['klines_1h', null],
    ['klines_1m', 'rows are missing in one place, first after 11:39:00'],
  ])

  const key = datasetFileKey(interest, FIRST as Day, 'open_interest.parquet')
  const rows = await readWithDuckDb(
    stand,
    key,
    (file) => `select epoch_us(ts)::varchar as ts, * exclude (ts) from ${file}
      where symbol = 'BTCUSDT' order by 1 limit 4`,
  )
  expect(rows[0]).toEqual({
    ts: String((at(FIRST) + 300_000) * 1_000),
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    open_interest: 80_000.123,
    open_interest_value: 8_000_000_000.25,
    top_account_ratio: 1.5,
    top_position_ratio: 1.1,
    account_ratio: 0.9,
    taker_volume_ratio: 1.01,
  })
  expect(rows[3]!['top_account_ratio']).toBe(null)

  const build = interest.build
  await facts(stand, FIRST, 'all')
  expect((await manifestOf(stand, 'open_interest', FIRST))!.build).toBe(build)
  expect((await facts(stand, FIRST)).sets).toEqual([])
  // The day after has a row, of the first day's files, and no file of its own.
  expect((await facts(stand, '2024-03-30', 'all')).sets.map(({ dataset }) => dataset)).toEqual([
    'funding_rates',
  ])
  expect(await manifestOf(stand, 'open_interest', '2024-03-30')).toBe(undefined)
  expect((await facts(stand, '2024-04-02', 'all')).sets).toEqual([])

  const unbuilt = async (): Promise<unknown> => {
    const query = 'select kind from marketdata.imports where built_at is null'
    return (await stand.pool.query(query)).rows
  }
  expect(await unbuilt()).toEqual([{ kind: 'fundingRate' }])
  // A file of a month is built with the last of its days.
  await stand.pool.query(
    "update marketdata.fact_days set built_count = change_count where date <> '2024-03-07'",
  )
  expect(await due(stand)).toEqual(['facts 2024-03-07: imports changed funding_rates'])
  await facts(stand, '2024-03-07')
  expect(await due(stand)).toEqual([])
  expect(await unbuilt()).toEqual([])
})

test('imports and replaced files make days stale; the lake keeps what was there', async () => {
  const stand = await createStand()
  const { store } = stand
  const second = '2024-03-30'
  const TABLE = 'datasets.open_interest_v1'
  const commit = () => runLakeJob(stand, { datasets: PUBLISHED })
  const values = async (snapshot_id?: number): Promise<readonly unknown[]> => {
    const rows = await readTable(store, TABLE, snapshot_id)
    return [rows.length, [...new Set(rows.map((row) => row['open_interest']))].toSorted()]
  }
  const latest = async (): Promise<string> =>
    (await readJson<Latest>(stand, latestKey('open_interest')))!.date
  const build = async (): Promise<void> => {
    for (const one of await due(stand)) await facts(stand, one.slice(6, 16))
  }
  // It ends at 23:55, so that the second day has rows of its own file alone.
  await putMetrics(stand, FIRST, metrics(FIRST, 1).slice(0, 287))
  await run(stand, of(FIRST, 'metrics'))
  await build()
  expect([...(await commit()).keys()]).toEqual([TABLE])
  expect(await values()).toEqual([287, [1.123]])
  const { 'current-snapshot-id': old } = await readMetadata(store, TABLE)

  // The next day's file makes no row of the first day, and completes none of it.
  await putMetrics(stand, second, metrics(second, 2))
  await run(stand, of(second, 'metrics'))
  expect(await due(stand)).toEqual([
    `facts ${FIRST}: imports changed open_interest`,
    `facts ${second}: imports changed open_interest`,
  ])
  const first_build = (await manifestOf(stand, 'open_interest', FIRST))!.build
  await build()
  expect((await manifestOf(stand, 'open_interest', FIRST))!.build).toBe(first_build)
  expect((await manifestOf(stand, 'open_interest', second))!.coverage[0]).toMatchObject({
    row_count: 287,
    missing_s: 0,
  })
  expect(await latest()).toBe(second)
  await commit()
  expect(await values()).toEqual([574, [1.123, 2.123]])

  // The source replaces the second file: other values, and an hour is missing.
  const fewer = metrics(second, 3).filter((_, i) => i < 100 || i >= 112)
  await putMetrics(stand, second, fewer)
  await run(stand, of(second, 'metrics'), { is_recheck: true })
  await build()
  const mended = (await manifestOf(stand, 'open_interest', second))!
  expect(mended.coverage[0]).toMatchObject({ row_count: 275, missing_s: 3_900 })
  expect(mended.inputs!.files![0]!.finding).toBe(
    'rows are missing in one place, first after 08:20:00',
  )
  expect(await verify(stand, 'open_interest', second)).toEqual([])
  expect((await commit()).get(TABLE)).toMatchObject({ added_files: 1, removed_files: 1 })
  expect(await values()).toEqual([562, [1.123, 3.123]])

  // It replaces it again, by a file without a row.
  await putMetrics(stand, second, [])
  await run(stand, of(second, 'metrics'), { is_recheck: true })
  await build()
  expect(await manifestOf(stand, 'open_interest', second)).toMatchObject({ row_count: 0 })
  expect(await verify(stand, 'open_interest', second)).toEqual([])
  expect(await latest()).toBe(FIRST)
  const emptied = (await commit()).get(TABLE)!
  expect(emptied).toMatchObject({ added_files: 0, removed_files: 1 })
  expect(emptied.snapshots[0]!.summary).toMatchObject({ operation: 'delete' })
  expect(await values()).toEqual([287, [1.123]])
  expect([...(await commit()).keys()]).toEqual([])
  expect(await values(old)).toEqual([287, [1.123]])
  const { snapshots } = await readMetadata(store, TABLE)
  expect(await values(snapshots[2]!['snapshot-id'])).toEqual([562, [1.123, 3.123]])

  // And once more, with rows: the day is back.
  await putMetrics(stand, second, metrics(second, 4))
  await run(stand, of(second, 'metrics'), { is_recheck: true })
  await build()
  expect(await latest()).toBe(second)
  await commit()
  expect(await values()).toEqual([574, [1.123, 4.123]])
})

test('a day of more rows than a part, and of several symbols, is in order', async () => {
  const stand = await createStand()
  const lines = range(8_640).flatMap((i) =>
    [1, -1, 5, -5, 2].map((p) => `${text(at(FIRST) + i * 10_000)},${p},${i},${i * 2}`),
  )
  for (const symbol of ['ETHUSDT', 'BTCUSDT']) {
    await put(stand, `daily/bookDepth/${symbol}/${symbol}-bookDepth-${FIRST}.zip`, lines)
  }
  await run(stand, of(FIRST, 'bookDepth', ['ETHUSDT', 'BTCUSDT']))
  const { sets } = await facts(stand, FIRST)
  expect(sets.map(({ row_count }) => row_count)).toEqual([86_400])
  expect(await verify(stand, 'book_depth', FIRST)).toEqual([])
  const manifest = (await manifestOf(stand, 'book_depth', FIRST))!
  const key = datasetFileKey(manifest, FIRST as Day, 'book_depth.parquet')
  const [found] = await readWithDuckDb(
    stand,
    key,
    (file) => `select count(distinct (symbol, ts, distance_percent))::int as n,
      sum(qty)::bigint::varchar as qty, max(ts)::varchar as last from ${file}`,
  )
  expect(found).toEqual({
    n: 86_400,
    qty: String(2 * 5 * ((8_639 * 8_640) / 2)),
    last: '2024-03-29 23:59:50+00',
  })
})
