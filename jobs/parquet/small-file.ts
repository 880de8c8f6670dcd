/**
 * Writes small Parquet files with zstd, microsecond UTC timestamps and statistics. The schema is
 * given, never inferred, and the same rows give the same bytes.
 */
import { constants, zstdCompressSync } from 'node:zlib'
import type { SchemaElement } from 'hyparquet'
import { fileWriter, ParquetWriter, type ColumnSource } from 'hyparquet-writer'
import { CREATED_BY, identityPairs, type FileIdentity } from './identity.ts'

export interface SmallParquet {
  /** Writes one row group. */
  write(columns: readonly ColumnSource[]): Promise<void>
  finish(): Promise<void>
}

/** `fields` are the schema's elements below its root, in order. */
export function createSmallParquet(
  path: string,
  fields: readonly SchemaElement[],
  column_count: number,
  identity: FileIdentity,
): SmallParquet {
  const parquet = new ParquetWriter({
    writer: fileWriter(path),
    schema: [{ name: 'root', num_children: column_count }, ...fields],
    codec: 'ZSTD',
    compressors: { ZSTD: compress },
    // Names of symbols can exceed the 16 bytes that statistics keep by default.
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

function compress(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
}
