/** The lake's tables over an archive, read by icebird, before and after late rows and expiry. */
import { parquetMetadata } from 'hyparquet'
import { beforeAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { RawChannel } from '#core/tables.ts'
import { HOUR_US, micros } from '#core/time.ts'
import { expireTable, type Expired } from '../../../jobs/lake/expire.ts'
import { archivedLakeTable } from '../../../jobs/lake/format/table.ts'
import { removeTag, tagSnapshot } from '../../../jobs/lake/tags.ts'
import {
  HOUR,
  insertListed,
  insertRows,
  makeRows,
  type Row,
  TABLE_NAMES,
  tableRows,
} from '../archive/rows.ts'
import { createStand, readWithDuckDb, type Stand } from '../stand.ts'
import { archive, runLakeJob } from './commits.ts'
import { readMetadata, readTable } from './icebird.ts'

const stand = await createStand()
const ROWS = 240
const DAY_MS = 86_400_000
const KEEP_MS = 7 * DAY_MS
const NEXT_HOUR = micros(HOUR + HOUR_US)

function expire({ pool, store }: Stand, name: RawChannel, days: number): Promise<Expired> {
  const signal = new AbortController().signal
  const now = (): number => Date.now() + days * DAY_MS
  const options = { pool, store, keep_ms: KEEP_MS, log: silentLogger, now, signal }
  return expireTable(options, archivedLakeTable(name))
}

/** Rows as the lake has them, in a form that can be compared: times in milliseconds. */
async function lakeRows(store: ObjectStore, name: string, id?: number): Promise<readonly string[]> {
  const rows = await readTable(store, `raw.${name}`, id)
  return rows.map((row) => JSON.stringify(plain(row))).toSorted()
}

/** Rows as Postgres has them, in the same form. */
async function databaseRows(name: RawChannel): Promise<readonly string[]> {
  const columns = archivedLakeTable(name).fields
  const rows = await tableRows(stand.pool, name)
  return rows
    .map((row) => {
      const cells = columns.map(({ name: column, type }) => {
        const value = row[column]
        if (value === null || value === undefined) return [column, null]
        if (type === 'timestamptz') return [column, Math.floor(Number(value) / 1_000)]
        if (type === 'long') return [column, Number(value)]
        if (typeof type === 'object') {
          return [column, (value as number[][]).map(([price, qty]) => ({ price, qty }))]
        }
        return [column, value]
      })
      return JSON.stringify(Object.fromEntries(cells))
    })
    .toSorted()
}

function plain(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (value === undefined || value === null) return [name, null]
      if (value instanceof Date) return [name, value.getTime()]
      return [name, typeof value === 'bigint' ? Number(value) : value]
    }),
  )
}

beforeAll(async () => {
  await insertListed(stand.pool)
  for (const name of TABLE_NAMES) {
    await insertRows(stand.pool, name, makeRows(name, ROWS))
    await insertRows(stand.pool, name, makeRows(name, ROWS, NEXT_HOUR))
  }
  await archive(stand)
})

test('each hour becomes a snapshot, and icebird reads the rows of Postgres', async () => {
  const results = await runLakeJob(stand)
  expect([...results].map(([name, { snapshots }]) => [name, snapshots.length])).toEqual(
    TABLE_NAMES.map((name) => [`raw.${name}`, 2]),
  )
  for (const name of TABLE_NAMES) {
    const { snapshots } = await readMetadata(stand.store, `raw.${name}`)
    expect(snapshots.map(({ summary }) => [summary['booktape.of'], summary['operation']])).toEqual([
      ['2024-08-08T13', 'append'],
      ['2024-08-08T14', 'append'],
    ])
    expect(await lakeRows(stand.store, name)).toEqual(await databaseRows(name))
    const [first] = snapshots
    expect(await lakeRows(stand.store, name, first!['snapshot-id'])).toHaveLength(ROWS)
  }
})

test('a run without news commits nothing; nor does a rebuild', async () => {
  const before = await stand.store.list('lake/')
  expect([...(await runLakeJob(stand)).keys()]).toEqual([])
  const rebuilt = await runLakeJob(stand, { which: 'all' })
  expect([...rebuilt.values()].flatMap(({ snapshots }) => snapshots)).toEqual([])
  expect(await stand.store.list('lake/')).toEqual(before)
})

test('columns of a file have the field ids of the schema', async () => {
  const key = 'raw/depth_events/exchange=binance-spot/date=2024-08-08/hour=13.parquet'
  const { schema } = parquetMetadata((await stand.store.get(key))!)
  const ids = schema.filter(({ field_id }) => field_id !== undefined)
  const { fields } = archivedLakeTable('depth_events')
  const expected = fields.flatMap(({ id, name, type }) =>
    typeof type === 'string'
      ? [[name, id]]
      : [
          [name, id],
          ['element', type['element-id']],
          ...type.element.fields.map((part) => [part.name, part.id]),
        ],
  )
  expect(ids.map(({ name, field_id }) => [name, field_id])).toEqual(expected)
})

test('late rows make an overwrite; the snapshot before it reads as before, until it expires', async () => {
  const before = await lakeRows(stand.store, 'trades')
  const old = (await readMetadata(stand.store, 'raw.trades'))['current-snapshot-id']
  const late = makeRows('trades', ROWS + 40).slice(ROWS)
  await insertRows(stand.pool, 'trades', late)
  await stand.pool.query(
    `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
     select 'archive', 'trades', 1, '2024-08-08T13:00:00Z', '2024-08-08T13:59:59Z'`,
  )
  await archive(stand)
  const result = (await runLakeJob(stand)).get('raw.trades')!
  expect(result).toMatchObject({ added_files: 2, removed_files: 2 })
  expect(result.snapshots.map(({ summary }) => summary['operation'])).toEqual(['overwrite'])
  const after = await lakeRows(stand.store, 'trades')
  expect(after).toEqual(await databaseRows('trades'))
  expect(after).toHaveLength(before.length + late.length)
  expect(await lakeRows(stand.store, 'trades', old)).toEqual(before)
  // The snapshot was current until a moment ago, so it stays for the keep time.
  expect(await expire(stand, 'trades', 6)).toMatchObject({ snapshot_count: 0, data_files: 0 })
  expect(await lakeRows(stand.store, 'trades', old)).toEqual(before)

  const tag = { table: archivedLakeTable('trades'), tag: 'training', now_ms: Date.now() }
  expect(await tagSnapshot(stand, { ...tag, snapshot_id: old })).toBe(old)
  expect(await expire(stand, 'trades', 8)).toMatchObject({ snapshot_count: 1, data_files: 0 })
  expect(await lakeRows(stand.store, 'trades', old)).toEqual(before)
  await removeTag(stand, tag)
  const expired = await expire(stand, 'trades', 8)
  expect(expired).toMatchObject({ snapshot_count: 1, data_files: 2 })
  expect(expired.metadata_files).toBeGreaterThan(0)
  await expect(lakeRows(stand.store, 'trades', old)).rejects.toThrow(`${old} not found`)
  expect(await lakeRows(stand.store, 'trades')).toEqual(after)
  const files = await stand.store.list('raw/trades/')
  expect(files.map(({ key }) => key.slice('raw/trades/exchange='.length))).toEqual(
    ['binance-futures', 'binance-spot'].flatMap((exchange) =>
      ['hour=13.v2.parquet', 'hour=14.parquet', 'index.json'].map(
        (file) => `${exchange}/date=2024-08-08/${file}`,
      ),
    ),
  )
  expect(await expire(stand, 'trades', 8)).toEqual({
    snapshot_count: 0,
    metadata_files: 0,
    data_files: 0,
  })
})

test('DuckDB finds the rows of Postgres in the files that the snapshot lists', async () => {
  const rows = await readTable(stand.store, 'raw.trades')
  const keys = (await stand.store.list('raw/trades/'))
    .map(({ key }) => key)
    .filter((key) => key.endsWith('.parquet'))
  let [count, ids] = [0n, 0n]
  for (const key of keys) {
    const sql = (file: string): string =>
      `select count(*)::bigint as n, sum(agg_trade_id)::bigint as ids from ${file}`
    const [found] = await readWithDuckDb(stand, key, sql)
    count += BigInt(found!['n'] as bigint)
    ids += BigInt(found!['ids'] as bigint)
  }
  expect(count).toBe(BigInt(rows.length))
  expect(ids).toBe(rows.reduce((sum, row) => sum + (row['agg_trade_id'] as bigint), 0n))
})
