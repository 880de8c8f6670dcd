/**
 * Writes Parquet: zstd, microsecond UTC timestamps, one row group a symbol, statistics on. The
 * schema is given, never inferred, and the same rows make the same bytes.
 */
import { constants, zstdCompressSync } from 'node:zlib'
import type { DecodedArray, SchemaElement } from 'hyparquet'
import { fileWriter, ParquetWriter, type ColumnSource } from 'hyparquet-writer'
import { NEVER, type Feature } from '#core/features.ts'
import {
  CREATED_BY,
  hasNull,
  identityPairs,
  valuesOf,
  type FileIdentity,
  type SymbolRows,
} from './rows.ts'

export interface ParquetFile {
  /** One row group. */
  write(columns: readonly ColumnSource[]): Promise<void>
  finish(): Promise<void>
}

/** `fields` are the schema's elements below its root, in order. */
export function createParquetFile(
  path: string,
  fields: readonly SchemaElement[],
  column_count: number,
  identity: FileIdentity,
): ParquetFile {
  const parquet = new ParquetWriter({
    writer: fileWriter(path),
    schema: [{ name: 'root', num_children: column_count }, ...fields],
    codec: 'ZSTD',
    compressors: { ZSTD: compress },
    // Symbols are longer than the 16 bytes that statistics keep by default.
    statisticsTruncateLength: Infinity,
    createdBy: CREATED_BY,
    kvMetadata: identityPairs(identity).map(([key, value]) => ({ key, value })),
  })
  return {
    async write(columns) {
      const row_count = columns[0]?.data.length ?? 0
      await parquet.write({ columnData: [...columns], rowGroupSize: Math.max(row_count, 1) })
    },
    async finish() {
      await parquet.finish()
    },
  }
}

export interface SymbolFile {
  write(rows: SymbolRows): Promise<void>
  finish(): Promise<void>
}

export function createFeaturesParquet(
  path: string,
  features: readonly Feature[],
  identity: FileIdentity,
): SymbolFile {
  const file = createParquetFile(path, features.map(fieldOf), features.length, identity)
  return {
    write: (rows) => file.write(features.map((feature) => columnOf(feature, rows))),
    finish: () => file.finish(),
  }
}

export const TIMESTAMP_US = {
  type: 'INT64',
  converted_type: 'TIMESTAMP_MICROS',
  logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
} as const
export const TEXT = {
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
} as const

function fieldOf({ name, type, null_rule }: Feature): SchemaElement {
  const repetition_type = null_rule === NEVER ? 'REQUIRED' : 'OPTIONAL'
  switch (type) {
    case 'timestamp_us':
      return { name, repetition_type, ...TIMESTAMP_US }
    case 'string':
      return { name, repetition_type, ...TEXT }
    case 'float64':
      return { name, repetition_type, type: 'DOUBLE' }
    case 'int64':
      return { name, repetition_type, type: 'INT64' }
  }
}

function columnOf(feature: Feature, rows: SymbolRows): ColumnSource {
  const { name, type } = feature
  switch (type) {
    case 'timestamp_us':
      return { name, data: rows.ts, encoding: 'DELTA_BINARY_PACKED' }
    case 'string': {
      const text = name === 'exchange' ? rows.exchange : rows.symbol
      const data = Array.from<string>({ length: rows.ts.length }).fill(text)
      return { name, data, encoding: 'RLE_DICTIONARY' }
    }
    case 'float64':
      return { name, data: withNulls(valuesOf(rows, feature)) }
    case 'int64':
      return { name, data: wholeNumbers(valuesOf(rows, feature)) }
  }
}

/** The writer takes a typed array as it is, but knows nulls only in a plain one. */
function withNulls(values: Float64Array): DecodedArray {
  if (!hasNull(values)) return values
  return Array.from(values, (value) => (Number.isNaN(value) ? null : value))
}

function wholeNumbers(values: Float64Array): DecodedArray {
  if (!hasNull(values)) return BigInt64Array.from(values, BigInt)
  return Array.from(values, (value) => (Number.isNaN(value) ? null : BigInt(value)))
}

function compress(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
}
