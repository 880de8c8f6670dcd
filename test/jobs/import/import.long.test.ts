/** Imports that are killed and run again, and all that is built after an import. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { buildImportedDays } from '../../../infra/cli/import-days.ts'
import { readTable } from '../lake/icebird.ts'
import type { Wanted } from '../../../jobs/import/files.ts'
import { createStand, type Stand } from '../stand.ts'
import {
  dayOf,
  findings,
  folderOf,
  type Made,
  pathOf,
  putTrades,
  run,
  tradesOf,
  wanted,
} from './made-files.ts'

const CHILD = fileURLToPath(new URL('import-child.ts', import.meta.url))
const DAYS = 3
const ROWS_A_DAY = 60_000

async function filesOf({ pool }: Stand): Promise<readonly unknown[]> {
  const { rows } = await pool.query(
    `select file, sha256, line_count, first_id, last_id, finding, version from marketdata.imports
     order by 1`,
  )
  return rows
}

async function gapsOf({ pool }: Stand): Promise<readonly unknown[]> {
  const { rows } = await pool.query(
    `select from_ts, to_ts, from_id, to_id, cause, repaired_at is null as is_open
     from marketdata.gaps order by from_ts, to_ts`,
  )
  return rows
}

/** Ids are missing, and one comes twice. */
const oddDay = (day: number): readonly Made[] => {
  const made = dayOf(day, 1 + day * ROWS_A_DAY, ROWS_A_DAY)
  return [...made.slice(0, 100), made[50]!, ...made.slice(110)]
}

const putDays = async (stand: Stand, rowsOf: (day: number) => readonly Made[]): Promise<void> => {
  for (let day = 0; day < DAYS; day++) {
    await putTrades(stand, `2024-03-${29 + day}`, rowsOf(day), { header: day === 1 })
  }
}

/** Returns how often it was killed. */
async function importAmongKills(stand: Stand, of: Wanted, recheck: 'yes' | 'no'): Promise<number> {
  for (let deaths = 0; ; deaths++) {
    const child = fork(CHILD, {
      env: {
        ...process.env,
        DATABASE_URL: stand.database_url,
        STORE: JSON.stringify(stand.store_config),
        FOLDER: folderOf(stand),
        WANTED: JSON.stringify(of),
        RECHECK: recheck,
      },
    })
    const exit = once(child, 'exit')
    const longest_ms = 1_500 + deaths * 250
    await Promise.race([exit, sleep(400 + Math.random() * longest_ms)])
    if (child.exitCode === null) child.kill('SIGKILL')
    const [code] = (await exit) as [number | null]
    if (code === 0) return deaths
  }
}

test('kill -9 at random moments, then again: the rows of an undisturbed import', async () => {
  const [calm, killed] = [await createStand(), await createStand()]
  const of = wanted('2024-03-29', '2024-03-31')
  const expectSame = async (): Promise<void> => {
    expect(await tradesOf(killed)).toEqual(await tradesOf(calm))
    expect(await filesOf(killed)).toEqual(await filesOf(calm))
    expect(await gapsOf(killed)).toEqual(await gapsOf(calm))
  }
  for (const stand of [calm, killed]) await putDays(stand, oddDay)
  await run(calm, of)
  expect(await importAmongKills(killed, of, 'no')).toBeGreaterThanOrEqual(1)
  await expectSame()
  // Replaced: an hour is gone, and so is each thousandth row; others have another quantity.
  const changed = (day: number): readonly Made[] =>
    oddDay(day)
      .filter(({ id, ms }) => id % 1_000 !== 7 && Math.floor(ms / 3_600_000) % 24 !== 5)
      .map((one) => (one.id % 777 === 3 ? { ...one, qty: 4 } : one))
  for (const stand of [calm, killed]) await putDays(stand, changed)
  await run(calm, of, { is_recheck: true })
  expect(await importAmongKills(killed, of, 'yes')).toBeGreaterThanOrEqual(1)
  await expectSame()
  expect(await tradesOf(killed)).toHaveLength(
    [0, 1, 2].reduce((sum, day) => sum + new Set(changed(day).map(({ id }) => id)).size, 0),
  )
})

test('imported days are archived, published and in the lake, by the jobs that do so for others', async () => {
  const stand = await createStand()
  await putTrades(stand, '2024-03-29', dayOf(0, 1_000))
  const results = await run(stand, wanted('2024-03-29', '2024-03-29'))
  const { pool, store, dir } = stand
  expect(findings(results)).toEqual([null])
  // Recorded, for ts_ingest is another time.
  await pool.query(
    `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty,
       first_trade_id, is_buyer_maker)
     values ('2024-03-29T05:00:00.001Z', '2024-03-29T05:00:00.009Z', 1, 77, 5, 5, 1, true)`,
  )
  const services = { pool, store, work_dir: join(dir, 'work'), env: {} }
  const { signal } = new AbortController()
  const build = { services, files: [pathOf('2024-03-29')], signal }
  expect(await buildImportedDays(build)).toEqual([])
  const { rows } = await pool.query(
    `select table_name, count(*)::int as hours, sum(row_count)::int as rows
     from marketdata.archive group by 1 order by 1`,
  )
  expect(rows).toEqual([
    { table_name: 'trade_1s', hours: 24, rows: 480 },
    { table_name: 'trades', hours: 24, rows: 481 },
  ])
  expect(await readTable(store, 'raw.trades')).toHaveLength(481)
  const candles = await readTable(store, 'datasets.candles_v2')
  const of_day = candles.filter((row) => row['interval_s'] === 86_400n)
  expect(of_day.map((row) => [row['trade_count'], row['volume'], row['missing_s']])).toEqual([
    // The day is known up to its last trade, at 23:57:00.
    [481n, 245, 179n],
  ])
  expect(await buildImportedDays({ ...build, onStep: () => expect.unreachable() })).toEqual([])
  await replaceArchived(stand, build)
})

/** The source replaces the file: a value is another one, an id is gone, and one is new. */
async function replaceArchived(
  stand: Stand,
  build: Parameters<typeof buildImportedDays>[0],
): Promise<void> {
  const { pool, store } = stand
  const made = dayOf(0, 1_000)
  const replaced = made
    .filter(({ id }) => id !== 1_110)
    .map((one) => (one.id === 1_111 ? { ...one, qty: 9 } : one))
  await putTrades(stand, '2024-03-29', [...replaced, { ...made.at(-1)!, id: 1_480 }])
  const of = wanted('2024-03-29', '2024-03-29')
  const [result] = await run(stand, of, { is_recheck: true })
  expect(result).toMatchObject({
    is_replaced: true,
    facts: { added_count: 2, removed_count: 2, finding: expect.stringContaining('1 ids are') },
  })
  expect(await buildImportedDays(build)).toEqual([])
  const hour = await pool.query<{ version: number; row_count: string }>(
    `select version, row_count from marketdata.archive
     where table_name = 'trades' and hour = '2024-03-29T05:00:00Z' order by version`,
  )
  expect(hour.rows).toEqual([
    { version: 1, row_count: '21' },
    { version: 2, row_count: '20' },
  ])
  const rows = await readTable(store, 'raw.trades')
  const qtyOf = (id: bigint): readonly unknown[] =>
    rows.filter((row) => row['agg_trade_id'] === id).map((row) => row['qty'])
  expect([1_109n, 1_110n, 1_111n, 1_480n, 77n].map(qtyOf)).toEqual([[0.5], [], [9], [0.5], [5]])
  const candles = await readTable(store, 'datasets.candles_v2')
  const of_day = candles.filter((row) => row['interval_s'] === 86_400n)
  expect(of_day.map((row) => row['trade_count'])).toEqual([481n])
  // The next version has no row from 07:00 to 09:00, and ends at 16:18. One row was recorded.
  const kept = made.filter(({ id }) => (id < 1_140 || id > 1_179) && id < 1_327)
  await putTrades(stand, '2024-03-29', kept)
  expect(await run(stand, of, { is_recheck: true })).toMatchObject([
    { is_replaced: true, facts: { added_count: 2, removed_count: 195 } },
  ])
  expect(await tradesOf(stand)).toHaveLength(kept.length + 1)
  expect(await buildImportedDays(build)).toEqual([])
  const left = await readTable(store, 'raw.trades')
  const ids = left.map((row) => Number(row['agg_trade_id'])).toSorted((a, b) => a - b)
  expect(ids).toEqual([77, ...kept.map(({ id }) => id)])
  const seconds = (await readTable(store, 'derived.trade_1s')).map((row) => row['bucket'] as Date)
  const of_rows = left.map((row) => Math.floor((row['ts_exchange'] as Date).getTime() / 1_000))
  expect(seconds.map((bucket) => bucket.getTime() / 1_000).toSorted()).toEqual(
    [...new Set(of_rows)].toSorted(),
  )
  const again = await readTable(store, 'datasets.candles_v2')
  const day = again.filter((row) => row['interval_s'] === 86_400n)
  expect(day.map((row) => row['trade_count'])).toEqual([BigInt(kept.length + 1)])
}
