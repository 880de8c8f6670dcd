/**
 * A replaced file that has no row of an hour any more: the hour is empty in the raw table and in
 * what is computed from it, in Postgres, archive and lake, after it had left Postgres.
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Exchange } from '#core/symbols.ts'
import { HOUR_US } from '#core/time.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { runRetention } from '../../../jobs/retention/run-retention.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { putFile, zipOf } from '../../../bench/import/zip.ts'
import { runLakeJob } from '../lake/commits.ts'
import { readTable } from '../lake/icebird.ts'
import { createStand, NOON } from '../stand.ts'
import { dayOf, folderOf, line, type Made, pathOf, run, wanted } from './made-files.ts'

const stand = await createStand()
const { pool, store, dir } = stand
const DATE = '2024-03-29'
const TABLES = ['raw.trades', 'derived.trade_1s']
/** Twenty trades an hour, from 06:00 to 09:00. */
const MADE = dayOf(0, 1_000).filter(({ id }) => id >= 1_120 && id < 1_180)
const WITHOUT_7 = MADE.filter(({ id }) => id < 1_140 || id >= 1_160)

async function putDay(exchange: Exchange, made: readonly Made[]): Promise<void> {
  const market = exchange === 'binance-spot' ? 'spot' : 'futures/um'
  const bytes = zipOf(`BTCUSDT-aggTrades-${DATE}.csv`, made.map(line).join('\n'))
  await putFile(folderOf(stand), pathOf(DATE, 'aggTrades', market), bytes)
}

const importDay = (exchange: Exchange): ReturnType<typeof run> =>
  run(stand, wanted(DATE, DATE, { exchange }), { is_recheck: true })

/** What the daemon does within two hours; then every partition leaves Postgres. */
async function settle(): Promise<void> {
  const job = { pool, log: silentLogger, now: () => NOON, signal: new AbortController().signal }
  await runRollups(job)
  await runArchive({ ...job, store, codec: 'zstd', work_dir: join(dir, 'work') })
  await runLakeJob(stand)
  const days = { raw: 1, depth: 1, rollups: 1 }
  const settings = { budget_bytes: 0, days, clusters_days: 0, settle_us: HOUR_US }
  const { kept } = await runRetention({ ...job, settings })
  expect(kept).toEqual([])
  const { rows } = await pool.query(
    'select (select count(*) from marketdata.trades) + (select count(*) from marketdata.trade_1s) as n',
  )
  expect(rows).toEqual([{ n: '0' }])
}

/** Rows by exchange and hour. */
async function rowsOf(table: string): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {}
  for (const row of await readTable(store, table)) {
    const ts = (row['bucket'] ?? row['ts_exchange']) as Date
    const key = `${row['exchange'] as string} ${ts.getUTCHours()}`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

test('an hour that a replaced file empties is empty everywhere, and may come back', async () => {
  const spot = { 'binance-spot 6': 20, 'binance-spot 7': 20, 'binance-spot 8': 20 }
  const others = { 'binance-futures 6': 20, 'binance-futures 8': 20 }
  const whole = { ...spot, ...others, 'binance-futures 7': 20 }
  for (const exchange of ['binance-futures', 'binance-spot'] as const) {
    await putDay(exchange, MADE)
    await importDay(exchange)
  }
  await settle()
  for (const table of TABLES) expect(await rowsOf(table), table).toEqual(whole)

  await putDay('binance-futures', WITHOUT_7)
  expect(await importDay('binance-futures')).toMatchObject([
    { is_replaced: true, facts: { added_count: 0, removed_count: 20 } },
  ])
  await settle()
  for (const table of TABLES) expect(await rowsOf(table), table).toEqual({ ...spot, ...others })
  const { rows: versions } = await pool.query(
    `select exchange, table_name, version, row_count::int from marketdata.archive
     where hour = '2024-03-29T07:00:00Z' and table_name in ('trades', 'trade_1s')
     order by exchange, table_name, version`,
  )
  expect(versions).toEqual(
    ['binance-futures', 'binance-spot'].flatMap((exchange) =>
      ['trade_1s', 'trades'].flatMap((table_name) => [
        { exchange, table_name, version: 1, row_count: 20 },
        ...(exchange === 'binance-futures'
          ? [{ exchange, table_name, version: 2, row_count: 0 }]
          : []),
      ]),
    ),
  )

  await putDay('binance-futures', MADE)
  expect(await importDay('binance-futures')).toMatchObject([
    { is_replaced: true, facts: { added_count: 20, removed_count: 0 } },
  ])
  await settle()
  for (const table of TABLES) expect(await rowsOf(table), table).toEqual(whole)
})
