/** docs/datasets.md matches the registries, and its DuckDB statements run on real files. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { parseDay } from '#core/time.ts'
import { SIGNALS_SET } from '#core/signals/registry.ts'
import { BARS } from '../../../jobs/bars/columns.ts'
import { LABELS_BARRIER } from '../../../jobs/barriers/columns.ts'
import { CANDLES } from '../../../jobs/candles/columns.ts'
import { FACT_SETS } from '../../../jobs/datasets/build/fact-sets.ts'
import { QUOTES_SET, TRADES_SET } from '../../../jobs/datasets/build/raw-sets.ts'
import { datasetDictionary } from '../../../jobs/datasets/dictionary.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { readManifest, versionOf } from '../../support/published.ts'
import { insertGap, insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { createStand, NOON } from '../stand.ts'

const DATE = parseDay('2024-08-08')!

test('docs/datasets.md matches the registries (UPDATE_GOLDEN=1 rewrites it)', () => {
  const path = new URL('../../../docs/datasets.md', import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, datasetDictionary())
  expect(readFileSync(path, 'utf8')).toBe(datasetDictionary())
})

for (const { dataset, columns } of [
  CANDLES,
  BARS,
  LABELS_BARRIER,
  TRADES_SET,
  QUOTES_SET,
  SIGNALS_SET,
  ...FACT_SETS,
]) {
  test(`${dataset}: names are unique, and every column is fully described`, () => {
    const names = columns.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, type, unit, description, source, null_rule } of columns) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
      for (const text of [type, unit, description, source, null_rule])
        expect(text, name).not.toBe('')
    }
  })
}

test('every SQL statement of the page runs on a published day', async () => {
  const { pool, store, dir, features } = await createStand()
  const from = Date.parse(`${DATE}T10:00:00Z`) * 1_000
  const times = Array.from({ length: 90 }, (_, i) => from + i * 1e6)
  await insertSymbols(pool, ['BTCUSDT'])
  await insertQuotes(
    pool,
    times.map((ts, i) => ({
      symbol: 'BTCUSDT',
      ts,
      id: i,
      bid: 10 + i,
      bid_qty: 1,
      ask: 12 + i,
      ask_qty: 1,
    })),
  )
  await insertTrades(
    pool,
    times.map((ts, i) => ({
      symbol: 'BTCUSDT',
      ts,
      id: i,
      price: 11,
      qty: 1,
      is_buyer_maker: false,
    })),
  )
  await insertGap(pool, { symbol: 'BTCUSDT', channel: 'trades', from_ts: from, to_ts: from + 3e6 })
  await features(DATE)
  await runDatasets({ pool, store, date: DATE, work_dir: dir, log: silentLogger, now: () => NOON })
  for (const { key } of await store.list('datasets/')) {
    const name = key.split('/').at(-1)!
    if (name.endsWith('.parquet')) writeFileSync(join(dir, name), (await store.get(key))!)
  }
  const [, block = ''] = /```sql\n([\s\S]*?)```/.exec(datasetDictionary()) ?? []
  const statements = block.split(';').filter((text) => text.includes('select'))
  expect(statements).toHaveLength(4)
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const counts: number[] = []
    for (const statement of statements) {
      const sql = statement.replaceAll("read_parquet('", `read_parquet('${dir}/`)
      counts.push((await connection.runAndReadAll(sql)).currentRowCount)
    }
    expect(counts).toEqual([90, 90, 1, 1])
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
})

test('the statement over many days reads each day once, although a replaced build still exists', async () => {
  const { pool, store, dir, features } = await createStand()
  const from = Date.parse(`${DATE}T10:00:00Z`) * 1_000
  const quote = (ts: number, id: number) => ({
    symbol: 'BTCUSDT',
    ts,
    id,
    bid: 10,
    bid_qty: 1,
    ask: 12,
    ask_qty: 1,
  })
  await insertSymbols(pool, ['BTCUSDT'])
  await insertQuotes(pool, [quote(from, 1), quote(from + 86_400e6, 2)])
  await features(DATE)
  await features('2024-08-09')
  await insertQuotes(pool, [quote(from + 30e6, 3)])
  await features(DATE)
  const keys = (await store.list('datasets/features_1s/')).map(({ key }) => key)
  expect(keys.filter((key) => key.endsWith('/features_1s.parquet'))).toHaveLength(3)
  for (const key of keys) {
    mkdirSync(dirname(join(dir, key)), { recursive: true })
    writeFileSync(join(dir, key), (await store.get(key))!)
  }
  const [statement = ''] = /select f\.date[\s\S]*?;/.exec(datasetDictionary()) ?? []
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const sql = statement.replaceAll("'datasets/", `'${dir}/datasets/`).replace('f.ts', 'count(*)')
    const grouped = sql.replace(', f.mid_close', '').replace(';', ' group by all order by 1;')
    const rows = (await connection.runAndReadAll(grouped)).getRowsJson()
    expect(rows.map(([date]) => date)).toEqual([DATE, '2024-08-09'])
    const { row_count } = (await readManifest(
      store,
      'features_1s',
      versionOf('features_1s'),
      DATE,
    ))!
    expect(Number(rows[0]![2])).toBe(row_count)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
})
