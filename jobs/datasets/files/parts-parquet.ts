/**
 * Assembles a Parquet file from finished pages: one row group per symbol, with a page for each
 * column and part. hyparquet-writer writes the footer.
 */
import { open } from 'node:fs/promises'
import type { ColumnChunk, RowGroup, SchemaElement } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'
import { NEVER, type Feature } from '#core/features.ts'
import { CREATED_BY, identityPairs, type FileIdentity } from '../../parquet/identity.ts'
import { fieldIdAt } from '../../parquet/field-ids.ts'
import { TEXT, TIMESTAMP_US } from '../../parquet/small-file.ts'
import { chunkOfPages } from '../../parquet/table-file.ts'
import type { DatasetRows } from './dataset-rows.ts'
import { CODEC, type PartPages } from './part.ts'

type SymbolName = Pick<DatasetRows, 'exchange' | 'symbol'>

export interface PartsParquet {
  /** Writes a symbol's parts, at least one, as one row group. */
  append(name: SymbolName, parts: readonly PartPages[]): Promise<void>
  /** Writes the footer. */
  finish(): Promise<void>
  /** Call after finish(), or to abandon the file. */
  close(): Promise<void>
}

const MAGIC = Buffer.from('PAR1')

export async function createPartsParquet(
  path: string,
  features: readonly Feature[],
  identity: FileIdentity,
): Promise<PartsParquet> {
  const file = await open(path, 'w')
  await file.writeFile(MAGIC)
  const row_groups: RowGroup[] = []
  let offset = MAGIC.length
  return {
    async append(name, parts) {
      const group_offset = offset
      const columns: ColumnChunk[] = []
      for (const [i, feature] of features.entries()) {
        const pages = parts.map((part) => part.pages[i]!)
        const dictionary =
          feature.type === 'string'
            ? (feature.words ?? [name[feature.name as keyof SymbolName]])
            : undefined
        const place = { path_in_schema: [feature.name], dictionary, codec: CODEC, offset } as const
        const chunk = chunkOfPages(pages, place)
        columns.push(chunk.column)
        offset += chunk.byte_count
        // One column at a time: a row group of a whole day has 20 MB.
        await file.writeFile(Buffer.concat(chunk.parts))
      }
      row_groups.push({
        columns,
        num_rows: BigInt(parts.reduce((sum, { row_count }) => sum + row_count, 0)),
        total_byte_size: columns.reduce(
          (sum, { meta_data }) => sum + meta_data!.total_uncompressed_size,
          0n,
        ),
        total_compressed_size: BigInt(offset - group_offset),
        file_offset: BigInt(group_offset),
      })
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
      // Names of symbols can exceed the 16 bytes that statistics keep by default.
      writeMetadata(footer, metadata, Infinity)
      await file.writeFile(Buffer.concat([footer.getBytes(), MAGIC]))
    },
    close: () => file.close(),
  }
}

function fieldOf({ name, type, null_rule }: Feature, position: number): SchemaElement {
  const repetition_type = null_rule === NEVER ? 'REQUIRED' : 'OPTIONAL'
  const common = { name, repetition_type, field_id: fieldIdAt(position) } as const
  switch (type) {
    case 'timestamp_us':
      return { ...common, ...TIMESTAMP_US }
    case 'string':
      return { ...common, ...TEXT }
    case 'float64':
      return { ...common, type: 'DOUBLE' }
    case 'float32':
      return { ...common, type: 'FLOAT' }
    case 'int64':
      return { ...common, type: 'INT64' }
  }
}
