/** Describes a Parquet file for a manifest, from its footer. No row is read. */
import type { ColumnChunk, FileMetaData } from 'hyparquet'
import { OperatorError } from '#core/errors.ts'
import { DAY_US } from '#core/time.ts'
import { compareText } from '../../columns/columns.ts'
import type { DataFile, IdBound, IdCount } from './manifest.ts'
import { SORT_ORDER_ID } from './metadata.ts'
import {
  type Field,
  type LakeTable,
  type Partition,
  partitionOf,
  type PrimitiveType,
} from './table.ts'

export interface StoredFile {
  /** s3://bucket/key */
  readonly path: string
  readonly byte_count: number
  /** Of all rows, if the table is partitioned by it. */
  readonly exchange: string | undefined
  /** Of a file without rows; with rows, they say it. */
  readonly partition: Partition
}

type Value = string | number | bigint | boolean

/** Errors: `lake_file` if the file does not fit the table. */
export function describeDataFile(
  table: LakeTable,
  file: StoredFile,
  metadata: FileMetaData,
): DataFile {
  const columns = columnsOf(table, metadata)
  const bounds = columns.flatMap(({ field, chunks }) => boundsOf(field, chunks))
  return {
    content: 0,
    file_path: file.path,
    file_format: 'PARQUET',
    partition:
      Number(metadata.num_rows) === 0 ? file.partition : partitionOfRows(table, file, columns),
    record_count: Number(metadata.num_rows),
    file_size_in_bytes: file.byte_count,
    column_sizes: counts(columns, (chunk) => Number(chunk.total_compressed_size)),
    value_counts: counts(columns, (chunk) => Number(chunk.num_values)),
    null_value_counts: counts(
      columns.filter(({ is_nested }) => !is_nested),
      (chunk) => Number(chunk.statistics?.null_count ?? 0n),
    ),
    lower_bounds: bounds.map(({ lower }) => lower),
    upper_bounds: bounds.map(({ upper }) => upper),
    split_offsets: metadata.row_groups.map(({ columns: [first] }) => {
      const { dictionary_page_offset, data_page_offset } = first!.meta_data!
      return Number(dictionary_page_offset ?? data_page_offset)
    }),
    sort_order_id: SORT_ORDER_ID,
  }
}

type Chunk = NonNullable<ColumnChunk['meta_data']>

interface FileColumn {
  readonly field: Field
  readonly is_nested: boolean
  /** One per row group. */
  readonly chunks: readonly Chunk[]
}

/** Every leaf of the file, with the field it belongs to. An old file lacks the last fields. */
function columnsOf(table: LakeTable, { row_groups }: FileMetaData): readonly FileColumn[] {
  const leaves = table.fields.flatMap(leavesOf)
  const [first] = row_groups
  const paths = (first?.columns ?? []).map(({ meta_data }) => meta_data!.path_in_schema.join('.'))
  return paths.map((path, i) => {
    const leaf = leaves.find((one) => one.path === path)
    if (leaf === undefined) throw unfit(table, `it has a column ${path}`)
    return { ...leaf, chunks: row_groups.map((group) => group.columns[i]!.meta_data!) }
  })
}

function leavesOf(
  field: Field,
): readonly (Omit<FileColumn, 'chunks'> & { readonly path: string })[] {
  const { name, type } = field
  if (typeof type === 'string') return [{ field, path: name, is_nested: false }]
  return type.element.fields.map((part) => ({
    field: part,
    path: `${name}.list.element.${part.name}`,
    is_nested: true,
  }))
}

function counts(columns: readonly FileColumn[], of: (chunk: Chunk) => number): readonly IdCount[] {
  return columns
    .map(({ field, chunks }) => ({
      key: field.id,
      value: chunks.reduce((sum, chunk) => sum + of(chunk), 0),
    }))
    .toSorted((a, b) => a.key - b.key)
}

/** None if a row group has values but no bounds: NaN, or nothing but nulls in every group. */
function boundsOf(
  field: Field,
  chunks: readonly Chunk[],
): readonly { readonly lower: IdBound; readonly upper: IdBound }[] {
  const range = rangeOf(chunks)
  if (range === undefined || typeof field.type !== 'string') return []
  return [
    {
      lower: { key: field.id, value: boundBytes(field.type, range.min) },
      upper: { key: field.id, value: boundBytes(field.type, range.max) },
    },
  ]
}

function rangeOf(
  chunks: readonly Chunk[],
): { readonly min: Value; readonly max: Value } | undefined {
  let range: { readonly min: Value; readonly max: Value } | undefined
  for (const { statistics, num_values } of chunks) {
    const {
      min_value: min,
      max_value: max,
      null_count,
    } = (statistics ?? {}) as {
      readonly min_value?: Value
      readonly max_value?: Value
      readonly null_count?: bigint
    }
    if (min === undefined || max === undefined) {
      if (null_count === num_values) continue
      return undefined
    }
    range = {
      min: range === undefined || compare(min, range.min) < 0 ? min : range.min,
      max: range === undefined || compare(max, range.max) > 0 ? max : range.max,
    }
  }
  return range
}

function compare(left: Value, right: Value): number {
  if (typeof left === 'string') return compareText(left, String(right))
  return left < right ? -1 : left > right ? 1 : 0
}

/** The specification's binary form of a value. */
function boundBytes(type: PrimitiveType, value: Value): Uint8Array {
  switch (type) {
    case 'string':
      return Buffer.from(String(value))
    case 'boolean':
      return Buffer.of(value === true ? 1 : 0)
    case 'float': {
      const bytes = Buffer.alloc(4)
      bytes.writeFloatLE(Number(value))
      return bytes
    }
    case 'double': {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(Number(value))
      return bytes
    }
    case 'long':
    case 'timestamptz': {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(value))
      return bytes
    }
  }
}

function partitionOfRows(
  table: LakeTable,
  { exchange }: StoredFile,
  columns: readonly FileColumn[],
): Partition {
  if (table.day === undefined) return {}
  const time = columns.find(({ field }) => field === table.day)
  const range = time && rangeOf(time.chunks)
  if (range === undefined) throw unfit(table, `it has no bounds of ${table.day.name}`)
  const [first, last] = [range.min, range.max].map((ts) => Math.floor(Number(ts) / DAY_US))
  if (first !== last) throw unfit(table, 'its rows are of more than one day')
  return partitionOf(table, exchange, first!)
}

function unfit({ namespace, name }: LakeTable, found: string): OperatorError {
  return new OperatorError(
    'lake_file',
    `A file does not fit the lake's table ${namespace}.${name}: ${found}.`,
    { hint: 'The file stays where it is; the table goes without it.' },
  )
}
