/**
 * Archived hours for tests: writes rows of a raw table as a Parquet file (core/archive.ts), a row
 * in marketdata.archive and the day's index.json, and drops the partition.
 */
import { createHash } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import type { DecodedArray, SchemaElement } from 'hyparquet'
import { ByteWriter, ParquetWriter, type ColumnSource } from 'hyparquet-writer'
import type { ArchivedHour, ArchiveIndex } from '#core/archive.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { archiveIndexKey, archiveKey } from '#core/object-keys.ts'
import type { Exchange } from '#core/symbols.ts'
import { RAW_TABLES, type Column, type RawChannel } from '#core/tables.ts'
import { dayOf, fromMillis, HOUR_US, micros, toIso } from '#core/time.ts'

export interface ArchiveOptions {
  readonly exchange?: Exchange
  readonly version?: number
  /** Maximum number of rows per row group. */
  readonly group_rows?: number
}

type DataRow = Readonly<Record<string, unknown>> & { readonly symbol: string }

/** Archives the table's rows of the hour; the partition stays. */
export async function archiveHour(
  pool: Pool,
  store: ObjectStore,
  table_name: RawChannel,
  hour_text: string,
  options: ArchiveOptions = {},
): Promise<ArchivedHour> {
  const { exchange = 'binance-futures', version = 1, group_rows = 1_000 } = options
  const hour = fromMillis(Date.parse(hour_text))
  const rows = await rowsOf(pool, exchange, table_name, toIso(hour), toIso(micros(hour + HOUR_US)))
  const bytes = await hourFile(table_name, rows, group_rows)
  const date = dayOf(hour)
  const times = rows.map((row) => row['ts_exchange'] as number)
  const archived: ArchivedHour = {
    exchange,
    table_name,
    hour: toIso(hour),
    version,
    object_key: archiveKey(
      table_name,
      exchange,
      date,
      new Date(hour / 1_000).getUTCHours(),
      version,
    ),
    row_count: rows.length,
    byte_count: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    min_ts_exchange: toIso(micros(times.reduce((a, b) => Math.min(a, b)))),
    max_ts_exchange: toIso(micros(times.reduce((a, b) => Math.max(a, b)))),
  }
  await store.put(archived.object_key, bytes, 'application/octet-stream')
  await pool.query(
    `insert into marketdata.archive (exchange, table_name, hour, version, object_key, row_count,
       byte_count, sha256, checksums, min_ts_exchange, max_ts_exchange, archived_at, table_row_count)
     values ($1, $2, $3, $4, $5, $6, $7, $8, '{}', $9, $10, now(), $6)`,
    Object.values(archived),
  )
  await addToIndex(store, archived)
  return archived
}

/** Drops the partition as retention does, in one transaction with its bookkeeping. */
export async function dropHour(
  pool: Pool,
  { table_name, hour }: Pick<ArchivedHour, 'table_name' | 'hour'>,
): Promise<void> {
  const partition = `${table_name}_${hour.slice(0, 13).replaceAll(/[-T]/g, '')}`
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query(`drop table marketdata.${partition}`)
    await client.query(
      'update marketdata.archive set dropped_at = now() where table_name = $1 and hour = $2',
      [table_name, hour],
    )
    await client.query('commit')
  } finally {
    client.release()
  }
}

async function addToIndex(store: ObjectStore, archived: ArchivedHour): Promise<void> {
  const { exchange, table_name, hour } = archived
  const date = dayOf(fromMillis(Date.parse(hour)))
  const key = archiveIndexKey(table_name, exchange, date)
  const before = await store.get(key)
  const index =
    before === undefined ? undefined : (JSON.parse(Buffer.from(before).toString()) as ArchiveIndex)
  const others = (index?.hours ?? []).filter((other) => other.hour !== hour)
  const hours = [...others, archived].toSorted((a, b) => (a.hour < b.hour ? -1 : 1))
  await store.put(key, JSON.stringify({ exchange, table_name, date, hours }), 'application/json')
}

async function rowsOf(
  pool: Pool,
  exchange: string,
  table_name: RawChannel,
  from: string,
  to: string,
): Promise<readonly DataRow[]> {
  const { columns, identity } = RAW_TABLES[table_name]
  const selected = columns.flatMap(({ name, type }) => {
    if (name === 'symbol_id') return []
    return type === 'timestamptz'
      ? [`(extract(epoch from ${name}) * 1000000)::bigint as ${name}`]
      : [name]
  })
  const order = identity.slice(1).map((name) => `t.${name}`)
  const { rows } = await pool.query<Record<string, unknown>>(
    `select s.symbol, ${selected.join(', ')} from marketdata.${table_name} t
     join marketdata.symbols s on s.id = t.symbol_id
     where s.exchange = $1 and t.ts_exchange >= $2 and t.ts_exchange < $3
     order by s.symbol collate "C", ${order.join(', ')}`,
    [exchange, from, to],
  )
  const wholes = columns.filter(({ type }) => type === 'timestamptz' || type === 'int8')
  return rows.map((row) => {
    const numbers = wholes.map(({ name }) => [name, row[name] === null ? null : Number(row[name])])
    return { ...row, ...Object.fromEntries(numbers) } as DataRow
  })
}

async function hourFile(
  table_name: RawChannel,
  rows: readonly DataRow[],
  group_rows: number,
): Promise<Buffer> {
  const columns = RAW_TABLES[table_name].columns.map((column) =>
    column.name === 'symbol_id' ? { ...column, name: 'symbol', type: 'text' as const } : column,
  )
  const writer = new ByteWriter()
  const parquet = new ParquetWriter({
    writer,
    schema: [{ name: 'root', num_children: columns.length }, ...columns.flatMap(fieldsOf)],
    codec: 'ZSTD',
    compressors: { ZSTD: zstdCompressSync },
    statisticsTruncateLength: Infinity,
  })
  for (const group of groupsOf(rows, group_rows)) {
    const columnData = columns.map((column): ColumnSource => columnOf(column, group))
    await parquet.write({ columnData, rowGroupSize: group.length })
  }
  await parquet.finish()
  return Buffer.from(writer.getBytes())
}

function groupsOf(rows: readonly DataRow[], group_rows: number): readonly (readonly DataRow[])[] {
  const groups: DataRow[][] = []
  for (const row of rows) {
    const last = groups.at(-1)
    if (last?.[0]!.symbol === row.symbol && last.length < group_rows) last.push(row)
    else groups.push([row])
  }
  return groups
}

function fieldsOf({ name, type, nullable }: Column): readonly SchemaElement[] {
  const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED'
  const plain = { name, repetition_type } as const
  switch (type) {
    case 'timestamptz': {
      const logical_type = { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' } as const
      return [{ ...plain, type: 'INT64', converted_type: 'TIMESTAMP_MICROS', logical_type }]
    }
    case 'int8':
      return [{ ...plain, type: 'INT64' }]
    case 'float8':
      return [{ ...plain, type: 'DOUBLE' }]
    case 'bool':
      return [{ ...plain, type: 'BOOLEAN' }]
    case 'text':
      return [{ ...plain, type: 'BYTE_ARRAY', converted_type: 'UTF8' }]
    case 'levels':
      return [
        { ...plain, num_children: 1, converted_type: 'LIST' },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'REQUIRED', num_children: 2 },
        { name: 'price', repetition_type: 'REQUIRED', type: 'DOUBLE' },
        { name: 'qty', repetition_type: 'REQUIRED', type: 'DOUBLE' },
      ]
  }
}

function columnOf({ name, type }: Column, rows: readonly DataRow[]): ColumnSource {
  const values = rows.map((row) => row[name] ?? null)
  if (type === 'timestamptz' || type === 'int8') {
    const data = values.map((value) => (value === null ? null : BigInt(value as number)))
    return { name, data: data as DecodedArray }
  }
  if (type !== 'levels') return { name, data: values as DecodedArray }
  const data = (values as [number, number][][]).map((levels) =>
    levels.map(([price, qty]) => ({ price, qty })),
  )
  return { name, data: data as DecodedArray }
}
