/**
 * A store as large as on a busy day, without a database: an hour of depth in row groups of the
 * current size, one in a single row group like older files, sampled books, quotes, and a day of
 * features.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ARCHIVED_TABLES, type ArchivedColumn, type ArchivedTable } from '#core/archived-tables.ts'
import { FEATURES_1S } from '#core/features.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import {
  archiveIndexKey,
  archiveKey,
  datasetFileKey,
  INSTRUMENTS_KEY,
  manifestKey,
} from '#core/object-keys.ts'
import { HOUR_US, micros, parseDay, SECOND_US, toIso, type Micros } from '#core/time.ts'
import { dataColumns, type ColumnData, type SymbolRows } from '../../../jobs/columns/columns.ts'
import { encodePart } from '../../../jobs/datasets/files/part.ts'
import { createPartsParquet } from '../../../jobs/datasets/files/parts-parquet.ts'
import { groupRanges } from '../../../jobs/parquet/row-groups.ts'
import { createTableFile } from '../../../jobs/parquet/table-file.ts'

export const DATE = parseDay('2024-08-07')!
export const SYMBOL = 'BTCUSDT'
const DAY_START = micros(Date.parse(DATE) * 1_000)
const EXCHANGE = 'binance-futures'
const DAY_ROWS = 86_400
const HOUR_ROWS = 3_600

interface Hour {
  readonly table: ArchivedTable
  readonly hour: number
  readonly row_count: number
  /** Levels per side in each row. */
  readonly level_count: number
  /** Instead of the row groups that the job makes. */
  readonly is_one_group: boolean
}

const DIFFS = { table: 'depth_events', level_count: 200 } as const

export async function fillLake(store: ObjectStore, dir: string): Promise<void> {
  await store.put(
    INSTRUMENTS_KEY,
    JSON.stringify({ instruments: [INSTRUMENT] }),
    'application/json',
  )
  await putHour(store, dir, { ...DIFFS, hour: 21, row_count: 6_000, is_one_group: true })
  await putHour(store, dir, { ...DIFFS, hour: 22, row_count: 3_000, is_one_group: false })
  const flat = { level_count: 0, is_one_group: false }
  await putHour(store, dir, { ...flat, table: 'orderbook_topn', hour: 22, row_count: 9_000 })
  await putHour(store, dir, { ...flat, table: 'book_ticker', hour: 22, row_count: 131_072 })
  await putHour(store, dir, { ...flat, table: 'trades', hour: 22, row_count: 131_072 })
  await putFeatures(store, dir)
}

const INSTRUMENT = {
  exchange: EXCHANGE,
  symbol: SYMBOL,
  instrument_type: 'perp',
  base_asset: 'BTC',
  quote_asset: 'USDT',
  is_active: true,
  tick_size: 0.1,
  step_size: 0.001,
}

async function putHour(store: ObjectStore, dir: string, what: Hour): Promise<void> {
  const { table, hour, row_count } = what
  const start = micros(DAY_START + hour * HOUR_US)
  const shape = ARCHIVED_TABLES[table]
  const columns = dataColumns(shape).map((column) => columnOf(column, what, start))
  const rows: SymbolRows = { row_count, columns }
  const path = join(dir, `${table}-${hour}.parquet`)
  const file = await createTableFile({
    path,
    table: shape,
    codec: 'zstd',
    exchange: EXCHANGE,
    facts: {},
  })
  const ranges = what.is_one_group ? [{ from: 0, to: row_count }] : groupRanges(rows)
  for (const range of ranges) await file.writeGroup(SYMBOL, rows, range)
  await file.finish()
  await file.close()
  const bytes = await readFile(path)
  const object_key = archiveKey(table, EXCHANGE, DATE, hour, 1)
  await store.put(object_key, bytes, 'application/octet-stream')
  const archived = {
    exchange: EXCHANGE,
    table_name: table,
    hour: toIso(start),
    version: 1,
    object_key,
    row_count,
    byte_count: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    min_ts_exchange: toIso(start),
    max_ts_exchange: toIso(micros(start + HOUR_US - 1)),
  }
  const key = archiveIndexKey(table, EXCHANGE, DATE)
  const before = await store.get(key)
  const hours =
    before === undefined ? [] : (JSON.parse(Buffer.from(before).toString()).hours as object[])
  const index = { exchange: EXCHANGE, table_name: table, date: DATE, hours: [...hours, archived] }
  await store.put(key, JSON.stringify(index), 'application/json')
}

function columnOf({ name, type }: ArchivedColumn, what: Hour, start: Micros): ColumnData {
  const { row_count, level_count } = what
  const numbers = (value: (row: number) => number): ColumnData => {
    const values = Float64Array.from({ length: row_count }, (_, row) => value(row))
    return { kind: 'numbers', values, nulls: undefined }
  }
  const step_us = Math.floor((HOUR_US - SECOND_US) / row_count)
  switch (type) {
    case 'timestamptz':
      return numbers((row) => start + row * step_us + 1)
    case 'int8':
      return numbers((row) => (name === 'prev_final_update_id' ? row : row + 1))
    case 'float8':
      return numbers((row) => noise(row) / 10)
    case 'bool':
      return { kind: 'flags', values: new Uint8Array(row_count) }
    case 'text': {
      const words = name === 'depth_kind' ? ['diff', 'snapshot'] : ['buy']
      const codes = Uint8Array.from({ length: row_count }, (_, row) =>
        isSnapshot(row) ? words.length - 1 : 0,
      )
      return { kind: 'texts', words, codes }
    }
    case 'levels': {
      let end = 0
      const ends = Uint32Array.from({ length: row_count }, (_, row) => {
        return (end += isSnapshot(row) ? 5 * level_count : level_count)
      })
      const sign = name === 'bids' ? -1 : 1
      const price = Float64Array.from(
        { length: end },
        (_, i) => 60_000 + (sign * (1 + noise(i))) / 10,
      )
      const qty = Float64Array.from({ length: end }, (_, i) => noise(i * 7) / 1_000)
      return { kind: 'levels', ends, price, qty }
    }
  }
}

const isSnapshot = (row: number): boolean => row % 1_000 === 0

/** Integers below 65,536 that compress no better than real market data. */
function noise(i: number): number {
  return (Math.imul(i, 2_654_435_761) >>> 16) & 0xff_ff
}

async function putFeatures(store: ObjectStore, dir: string): Promise<void> {
  const dataset = 'features_1s'
  const identity = { dataset, schema_version: 1, date: DATE }
  const path = join(dir, 'features.parquet')
  const values = FEATURES_1S.filter(({ type }) => type === 'float64' || type === 'int64')
  const rows = {
    exchange: EXCHANGE,
    symbol: SYMBOL,
    ts: BigInt64Array.from({ length: DAY_ROWS }, (_, i) => BigInt(DAY_START + i * SECOND_US)),
    columns: Object.fromEntries(
      values.map(({ name }, at) => [
        name,
        Float64Array.from({ length: DAY_ROWS }, (_, i) => noise(i + at * 977)),
      ]),
    ),
  } as const
  const file = await createPartsParquet(path, FEATURES_1S, identity)
  // One part per hour, like the job.
  const parts = Array.from({ length: 24 }, (_, hour) => {
    const [first, end] = [hour * HOUR_ROWS, (hour + 1) * HOUR_ROWS]
    const columns = Object.entries(rows.columns).map(([name, all]) => [
      name,
      all.subarray(first, end),
    ])
    const of_hour = {
      ...rows,
      ts: rows.ts.subarray(first, end),
      columns: Object.fromEntries(columns),
    }
    return encodePart(FEATURES_1S, of_hour, { exchange: 0, symbol: 0 })
  })
  await file.append(rows, parts)
  await file.finish()
  await file.close()
  const bytes = await readFile(path)
  const name = `${dataset}.parquet`
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const manifest = {
    ...identity,
    complete: true,
    row_count: DAY_ROWS,
    columns: FEATURES_1S,
    files: [{ name, format: 'parquet', bytes: bytes.byteLength, sha256, row_count: DAY_ROWS }],
    coverage: [],
  }
  await store.put(datasetFileKey(identity, DATE, name), bytes, 'application/octet-stream')
  await store.put(manifestKey(dataset, 1, DATE), JSON.stringify(manifest), 'application/json')
}
