/** The archive job against a real Postgres and object store; other programs read its files. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { zstdDecompressSync } from 'node:zlib'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { beforeAll, expect, test } from 'vitest'
import type { ArchiveIndex } from '#core/archive.ts'
import { silentLogger } from '#core/node/log.ts'
import { RAW_TABLES, type RawChannel } from '#core/tables.ts'
import { HOUR_US, micros } from '#core/time.ts'
import { type ArchiveResult, runArchive } from '../../../jobs/archive/run-archive.ts'
import type { Codec } from '../../../jobs/parquet/codecs.ts'
import { createStand, readWithDuckDb } from '../stand.ts'
import {
  digestOfBytes,
  HOUR,
  insertListed,
  insertRows,
  makeRows,
  type Row,
  TABLE_NAMES,
  tableRows,
} from './rows.ts'

const stand = await createStand()
const { pool, store } = stand
const PREFIX = 'exchange=binance-futures/date=2024-08-08/hour=13'
const ROW_COUNT = 1_000

function archive(
  codec: Codec = 'zstd',
  now = Date.parse('2024-08-08T15:00:00Z'),
): Promise<ArchiveResult> {
  return runArchive({
    pool,
    store,
    codec,
    work_dir: join(stand.dir, 'work'),
    log: silentLogger,
    now: () => now,
  })
}

beforeAll(async () => {
  await insertListed(pool)
  for (const name of TABLE_NAMES) await insertRows(pool, name, makeRows(name, ROW_COUNT))
})

test('an hour that ended less than an hour ago is skipped; an empty partition has no file', async () => {
  await pool.query("select marketdata.ensure_hour('trades', '2024-08-08T12:00:00Z')")
  expect(await archive('zstd', Date.parse('2024-08-08T14:59:59Z'))).toMatchObject({
    hour_count: 0,
    file_count: 0,
  })
  expect(await store.list('raw/')).toEqual([])
})

test('every table and exchange of the hour becomes a file with a record', async () => {
  expect(await archive()).toMatchObject({
    hour_count: TABLE_NAMES.length,
    file_count: 2 * TABLE_NAMES.length,
    row_count: ROW_COUNT * TABLE_NAMES.length,
  })
  const { rows } = await pool.query(`
    select object_key, row_count::int, byte_count::int, sha256, version, table_row_count::int,
      dropped_at, indexed_at is not null as is_indexed, checksums
    from marketdata.archive order by object_key collate "C"`)
  expect(rows).toHaveLength(2 * TABLE_NAMES.length)
  for (const row of rows) {
    const bytes = await store.get(row.object_key)
    expect(row).toMatchObject({
      row_count: row.object_key.includes('spot') ? ROW_COUNT / 4 : (ROW_COUNT / 4) * 3,
      table_row_count: row.row_count,
      byte_count: bytes!.byteLength,
      sha256: digestOfBytes(bytes!),
      version: 1,
      is_indexed: true,
      dropped_at: null,
    })
  }
  const { rows: runs } = await pool.query(
    "select job_window, status from marketdata.job_runs where job = 'archive' order by id",
  )
  expect(runs.map(({ job_window, status }) => `${job_window} ${status}`)).toEqual(
    ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations'].map(
      (name) => `${name} 2024-08-08T13 done`,
    ),
  )
})

test('no hour is due a second time', async () => {
  expect(await archive()).toMatchObject({ hour_count: 0 })
})

for (const name of TABLE_NAMES) {
  test(`${name}: DuckDB finds the table's rows in the file, in order, to the microsecond`, async () => {
    const expected = await tableRows(pool, name)
    const { columns } = RAW_TABLES[name]
    const cells = columns.map(({ name: column, type }) => {
      if (column === 'symbol_id') return 'symbol'
      if (type === 'timestamptz') return `epoch_us(${column})::varchar as ${column}`
      return type === 'int8' ? `${column}::varchar as ${column}` : column
    })
    for (const exchange of ['binance-futures', 'binance-spot']) {
      const key = `raw/${name}/exchange=${exchange}/date=2024-08-08/hour=13.parquet`
      const found = await readWithDuckDb(
        stand,
        key,
        (file) => `select ${cells.join(', ')} from ${file}`,
      )
      expect(found.map(withPairs)).toEqual(
        expected.filter((row) => row['exchange'] === exchange).map(withoutExchange),
      )
    }
    const [schema] = await readWithDuckDb(
      stand,
      `raw/${name}/${PREFIX}.parquet`,
      (file) =>
        `select typeof(ts_exchange) as ts, typeof(ts_ingest) as ingest from ${file} limit 1`,
    )
    expect(schema).toEqual({ ts: 'TIMESTAMP WITH TIME ZONE', ingest: 'TIMESTAMP WITH TIME ZONE' })
  })

  test(`${name}: hyparquet reads what DuckDB reads`, async () => {
    const bytes = (await store.get(`raw/${name}/${PREFIX}.parquet`))!
    const found = await parquetReadObjects({
      file: bytes.buffer.slice(
        bytes.byteOffset,
        bytes.byteOffset + bytes.byteLength,
      ) as ArrayBuffer,
      compressors: { ZSTD: (input) => zstdDecompressSync(input) },
      parsers: { timestampFromMicroseconds: String },
    })
    const expected = (await tableRows(pool, name)).filter(
      (row) => row['exchange'] === 'binance-futures',
    )
    expect(found.map((row) => withPairs(asText(name, row)))).toEqual(expected.map(withoutExchange))
  })
}

test('a row group has rows of one symbol, and its statistics say which', async () => {
  const metadata = parquetMetadata((await store.get(`raw/book_ticker/${PREFIX}.parquet`))!)
  const symbols = metadata.row_groups.map(({ columns }) => {
    const column = columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === 'symbol')
    return [column?.meta_data?.statistics?.min_value, column?.meta_data?.statistics?.max_value]
  })
  expect(symbols).toEqual(['BTCUSDT', 'ETHUSDT', '币安人生USDT'].map((name) => [name, name]))
})

test("the day's index names the newest file of every hour", async () => {
  const text = Buffer.from(
    (await store.get('raw/trades/exchange=binance-futures/date=2024-08-08/index.json'))!,
  ).toString()
  const index = JSON.parse(text) as ArchiveIndex
  expect(index).toMatchObject({
    exchange: 'binance-futures',
    table_name: 'trades',
    date: '2024-08-08',
  })
  const [first] = (await tableRows(pool, 'trades'))
    .filter((row) => row['exchange'] === 'binance-futures')
    .map((row) => Number(row['ts_exchange']))
    .toSorted((a, b) => a - b)
  expect(index.hours).toMatchObject([
    {
      hour: '2024-08-08T13:00:00.000000Z',
      version: 1,
      object_key: `raw/trades/${PREFIX}.parquet`,
      row_count: 750,
      min_ts_exchange: new Date(first! / 1_000)
        .toISOString()
        .replace('Z', `${String(first! % 1_000).padStart(3, '0')}Z`),
    },
  ])
})

for (const codec of ['snappy', 'gzip'] as const) {
  test(`a ${codec} file has the same rows, for DuckDB and for parquetjs-lite, an old reader`, async () => {
    const hour = micros(HOUR + (codec === 'snappy' ? 24 : 48) * HOUR_US)
    const name: RawChannel = 'trades'
    await insertRows(pool, name, makeRows(name, 500, hour))
    await archive(codec, Date.parse('2024-08-11T15:00:00Z'))
    const date = codec === 'snappy' ? '2024-08-09' : '2024-08-10'
    const key = `raw/trades/exchange=binance-futures/date=${date}/hour=13.parquet`
    const found = await readWithDuckDb(
      stand,
      key,
      (file) =>
        `select symbol, epoch_us(ts_exchange)::varchar as ts, agg_trade_id::varchar as id, price, non_rpi_qty, first_trade_id::varchar as first_id, is_buyer_maker from ${file}`,
    )
    const expected = (await tableRows(pool, name)).filter(
      (row) =>
        row['exchange'] === 'binance-futures' &&
        Number(row['ts_exchange']) >= hour &&
        Number(row['ts_exchange']) < hour + HOUR_US,
    )
    expect(found).toHaveLength(375)
    expect(found.map(({ id }) => id)).toEqual(expected.map((row) => row['agg_trade_id']))
    const path = join(stand.dir, `${codec}.parquet`)
    await writeFile(path, (await store.get(key))!)
    expect(await readWithParquetJs(path)).toEqual(
      found.map(({ symbol, ts, id, price, non_rpi_qty, first_id, is_buyer_maker }) => ({
        symbol,
        ts_ms: Math.floor(Number(ts) / 1_000),
        id,
        price,
        non_rpi_qty,
        first_id,
        is_buyer_maker,
      })),
    )
  })
}

function withoutExchange(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'exchange'))
}

/** Lists of (price, qty) structs as pairs. */
function withPairs(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      Array.isArray(value)
        ? value.map((level: { price: number; qty: number }) => [level.price, level.qty])
        : value,
    ]),
  )
}

function asText(name: RawChannel, row: Row): Row {
  return Object.fromEntries(
    RAW_TABLES[name].columns.map(({ name: column, type }) => {
      if (column === 'symbol_id') return ['symbol', row['symbol']]
      const value = row[column] ?? null
      return [
        column,
        value !== null && (type === 'int8' || type === 'timestamptz') ? String(value) : value,
      ]
    }),
  )
}

/** The package has no types. */
interface ParquetJs {
  readonly ParquetReader: {
    openFile(path: string): Promise<{
      getCursor(): { next(): Promise<Row | null> }
      close(): Promise<void>
    }>
  }
}

/** Its timestamps are Dates, which hold milliseconds. */
async function readWithParquetJs(path: string): Promise<readonly Row[]> {
  const { ParquetReader } = createRequire(import.meta.url)('parquetjs-lite') as ParquetJs
  const reader = await ParquetReader.openFile(path)
  const cursor = reader.getCursor()
  const rows: Row[] = []
  for (let row = await cursor.next(); row !== null; row = await cursor.next()) {
    rows.push({
      symbol: row['symbol'],
      ts_ms: (row['ts_exchange'] as Date).getTime(),
      id: String(row['agg_trade_id']),
      price: row['price'],
      non_rpi_qty: row['non_rpi_qty'] ?? null,
      first_id: row['first_trade_id'] === undefined ? null : String(row['first_trade_id']),
      is_buyer_maker: row['is_buyer_maker'],
    })
  }
  await reader.close()
  return rows
}
