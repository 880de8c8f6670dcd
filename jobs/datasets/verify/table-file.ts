/**
 * Checks a dataset's Parquet file against its manifest: schema, row counts, row order, null rules.
 * hyparquet reads it, which did not write it, one row group at a time.
 */
import { zstdDecompressSync } from 'node:zlib'
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetRead,
  type AsyncBuffer,
  type FileMetaData,
  type SchemaElement,
} from 'hyparquet'
import { NEVER } from '#core/features.ts'
import { compareText } from '../../columns/columns.ts'
import { ColumnDigests, type Values } from './column-digest.ts'
import type { ReportFinding } from './finding.ts'
import type { CheckedFile, CheckedManifest } from './manifest.ts'

/** Sort columns of a symbol's rows. No two rows have the same key. */
const ORDER: Readonly<Record<string, readonly string[]>> = {
  candles: ['interval_s', 'ts'],
  bars: ['kind', 'last_trade_id'],
  clusters: ['ts', 'price'],
  trades: ['ts_exchange', 'agg_trade_id'],
  quotes: ['ts_exchange', 'update_id'],
  signals: ['ts', 'id'],
  lob_10: ['ts', 'update_id'],
  depth: ['ts', 'update_id', 'side', 'price'],
  klines: ['interval_s', 'ts'],
  book_depth: ['ts', 'distance_percent'],
}
const STANDARD_ORDER = ['ts']

export interface TableFacts {
  /** By column. */
  readonly digests: ReadonlyMap<string, string>
  /** Key: `exchange symbol`. */
  readonly row_counts: ReadonlyMap<string, number>
}

export async function checkTable(
  path: string,
  { name, row_count }: CheckedFile,
  manifest: CheckedManifest,
  report: ReportFinding,
): Promise<TableFacts> {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  checkSchema(metadata, manifest, (sentence) => report(name, sentence))
  if (Number(metadata.num_rows) !== row_count) {
    report(name, `Its footer says ${metadata.num_rows} rows, the manifest says ${row_count}.`)
  }
  const digests = new ColumnDigests()
  const row_counts = new Map<string, number>()
  const order = new RowOrder(ORDER[manifest.dataset] ?? STANDARD_ORDER, (sentence) =>
    report(name, sentence),
  )
  let row_start = 0
  for (const [index, group] of metadata.row_groups.entries()) {
    const row_end = row_start + Number(group.num_rows)
    const columns = await readGroup(file, metadata, row_start, row_end)
    for (const { name: column, null_rule, type } of manifest.columns) {
      const values = columns.get(column)
      if (values === undefined) continue
      digests.add(column, values)
      const wrong = findWrong(values, null_rule === NEVER, type)
      if (wrong !== undefined) report(name, `Row group ${index}: ${column} ${wrong}.`)
    }
    const symbol = order.check(index, columns)
    row_counts.set(symbol, (row_counts.get(symbol) ?? 0) + row_end - row_start)
    row_start = row_end
  }
  return { digests: digests.finish(), row_counts }
}

/** Values of all columns; times are microseconds. */
export async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  rowStart: number,
  rowEnd: number,
): Promise<ReadonlyMap<string, Values>> {
  const columns = new Map<string, unknown[]>()
  await parquetRead({
    file,
    metadata,
    rowStart,
    rowEnd,
    compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
    parsers: { timestampFromMicroseconds: (us: bigint) => us },
    onChunk({ columnName, columnData, rowStart: first }) {
      const values = columns.get(columnName) ?? []
      for (let i = 0; i < columnData.length; i++) values[first - rowStart + i] = columnData[i]
      columns.set(columnName, values)
    },
  })
  return columns
}

const TYPES: Readonly<Record<string, (element: SchemaElement) => boolean>> = {
  timestamp_us: ({ type, converted_type }) =>
    type === 'INT64' && converted_type === 'TIMESTAMP_MICROS',
  string: ({ type, converted_type }) => type === 'BYTE_ARRAY' && converted_type === 'UTF8',
  float64: ({ type }) => type === 'DOUBLE',
  float32: ({ type }) => type === 'FLOAT',
  int64: ({ type, converted_type }) => type === 'INT64' && converted_type === undefined,
  bool: ({ type }) => type === 'BOOLEAN',
}

function checkSchema(
  { schema, key_value_metadata }: FileMetaData,
  { columns, dataset, schema_version, date }: CheckedManifest,
  report: (sentence: string) => void,
): void {
  const fields = schema.slice(1)
  const found = fields.map((field) => field.name).join(', ')
  const expected = columns.map((column) => column.name).join(', ')
  if (found !== expected) report(`Its columns are ${found}; the manifest says ${expected}.`)
  for (const { name, type, null_rule } of columns) {
    const field = fields.find((one) => one.name === name)
    if (field === undefined) continue
    if (TYPES[type]?.(field) !== true) report(`${name} is stored as ${field.type}, not as ${type}.`)
    const is_required = field.repetition_type === 'REQUIRED'
    if (is_required !== (null_rule === NEVER))
      report(`${name} is ${field.repetition_type} in the file.`)
  }
  const pairs = new Map(key_value_metadata?.map(({ key, value }) => [key, value]))
  for (const [key, value] of Object.entries({ dataset, schema_version, date })) {
    if (pairs.get(key) !== String(value)) report(`It says ${key} ${pairs.get(key)}, not ${value}.`)
  }
}

function findWrong(values: Values, is_never_null: boolean, type: string): string | undefined {
  for (let row = 0; row < values.length; row++) {
    const value = values[row]
    const is_null = value === null || value === undefined
    if (is_null && is_never_null) return `is null in row ${row}, but must never be null`
    if (!is_null && type.startsWith('float') && !Number.isFinite(value))
      return `is ${value} in row ${row}`
  }
  return undefined
}

/** Checks the order of a file's rows across row groups. */
class RowOrder {
  readonly #keys: readonly string[]
  readonly #report: (sentence: string) => void
  #symbol: readonly [exchange: string, symbol: string] | undefined
  #last: Key | undefined

  constructor(keys: readonly string[], report: (sentence: string) => void) {
    this.#keys = keys
    this.#report = report
  }

  /** Returns the group's `exchange symbol`. */
  check(group: number, columns: ReadonlyMap<string, Values>): string {
    const exchange = this.#nameOf(group, columns, 'exchange')
    const symbol = this.#nameOf(group, columns, 'symbol')
    const before = this.#symbol
    const place =
      before === undefined ? 1 : compareText(exchange, before[0]) || compareText(symbol, before[1])
    if (place < 0) this.#report(`Row group ${group}: ${symbol} comes after ${before?.[1]}.`)
    if (place !== 0) this.#last = undefined
    this.#symbol = [exchange, symbol]
    const keys = this.#keys.map((name) => columns.get(name) ?? [])
    const row_count = keys[0]!.length
    for (let row = 0; row < row_count; row++) {
      const key = keys.map(({ [row]: value }) =>
        typeof value === 'string' ? value : Number(value),
      )
      if (this.#last !== undefined && !isAfter(key, this.#last)) {
        this.#report(`Row group ${group}: row ${row} is out of order (${this.#keys}).`)
        break
      }
      this.#last = key
    }
    return `${exchange} ${symbol}`
  }

  #nameOf(group: number, columns: ReadonlyMap<string, Values>, name: string): string {
    const values = columns.get(name) ?? []
    const first = String(values[0])
    for (let row = 1; row < values.length; row++) {
      if (values[row] === first) continue
      this.#report(`Row group ${group} holds rows of both ${first} and ${String(values[row])}.`)
      break
    }
    return first
  }
}

/** Values of the sort columns; words are ASCII. */
type Key = readonly (number | string)[]

function isAfter(key: Key, before: Key): boolean {
  for (let i = 0; i < key.length; i++) {
    if (key[i] !== before[i]) return key[i]! > before[i]!
  }
  return false
}
