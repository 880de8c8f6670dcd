/** Describes a file of the store from its footer, with one or two range requests. */
import type { ObjectStore } from '#core/node/object-store.ts'
import { readMetadata, unreadable } from '../parquet/footer.ts'
import { describeDataFile } from './format/data-file.ts'
import type { DataFile } from './format/manifest.ts'
import type { LakeTable, Partition } from './format/table.ts'

export async function describeStored(
  store: ObjectStore,
  table: LakeTable,
  file: {
    readonly key: string
    readonly byte_count: number
    readonly exchange: string | undefined
    readonly partition: Partition
  },
): Promise<DataFile> {
  const { key, byte_count, exchange, partition } = file
  const metadata = await readMetadata({
    name: key,
    byte_count,
    async read(from, to) {
      const bytes = await store.readRange(key, from, to)
      if (bytes === undefined) throw unreadable({ name: key }, 'the store does not have it')
      return bytes
    },
  })
  const path = `s3://${store.config.bucket}/${key}`
  return describeDataFile(table, { path, byte_count, exchange, partition }, metadata)
}
