/**
 * Puts row groups that are made already, one a symbol, together into a Parquet file. The footer is
 * hyparquet-writer's work.
 */
import { open } from 'node:fs/promises'
import type { ColumnChunk, RowGroup, SchemaElement } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'
import { NEVER, type Feature } from '#core/features.ts'
import { TEXT, TIMESTAMP_US } from './parquet.ts'
import type { RowGroupBytes } from './row-group.ts'
import { CREATED_BY, identityPairs, type FileIdentity } from './rows.ts'

export interface FeaturesParquet {
  append(group: RowGroupBytes): Promise<void>
  /** Writes the footer. */
  finish(): Promise<void>
  /** After finish(), or where there is none. */
  close(): Promise<void>
}

const MAGIC = Buffer.from('PAR1')

export async function createFeaturesParquet(
  path: string,
  features: readonly Feature[],
  identity: FileIdentity,
): Promise<FeaturesParquet> {
  const file = await open(path, 'w')
  await file.writeFile(MAGIC)
  const row_groups: RowGroup[] = []
  let offset = MAGIC.length
  return {
    async append(group) {
      await file.writeFile(group.bytes)
      row_groups.push(placedAt(offset, group))
      offset += group.bytes.length
    },
    async finish() {
      const footer = new ByteWriter()
      const metadata = {
        version: 2,
        created_by: CREATED_BY,
        schema: [{ name: 'root', num_children: features.length }, ...features.map(fieldOf)],
        num_rows: row_groups.reduce((sum, group) => sum + group.num_rows, 0n),
        row_groups,
        metadata_length: 0,
        key_value_metadata: identityPairs(identity).map(([key, value]) => ({ key, value })),
      }
      // Symbols are longer than the 16 bytes that statistics keep by default.
      writeMetadata(footer, metadata, Infinity)
      await file.writeFile(Buffer.concat([footer.getBytes(), MAGIC]))
    },
    close: () => file.close(),
  }
}

function placedAt(offset: number, { row_count, bytes, columns }: RowGroupBytes): RowGroup {
  const placed = columns.map((column) => placedColumn(BigInt(offset), column))
  return {
    columns: placed,
    num_rows: BigInt(row_count),
    total_byte_size: placed.reduce(
      (sum, { meta_data }) => sum + meta_data!.total_uncompressed_size,
      0n,
    ),
    total_compressed_size: BigInt(bytes.length),
    file_offset: BigInt(offset),
  }
}

function placedColumn(offset: bigint, { file_offset, meta_data }: ColumnChunk): ColumnChunk {
  const { data_page_offset, dictionary_page_offset, ...rest } = meta_data!
  return {
    file_offset: file_offset + offset,
    meta_data: {
      ...rest,
      data_page_offset: data_page_offset + offset,
      ...(dictionary_page_offset === undefined
        ? {}
        : { dictionary_page_offset: dictionary_page_offset + offset }),
    },
  }
}

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
