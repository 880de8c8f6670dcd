import type { ObjectStore } from '#core/node/object-store.ts'
import { lakeMetadataFile, lakeMetadataPrefix } from '#core/object-keys.ts'
import type { TableName } from './format/table.ts'
import type { Version } from './pointer.ts'

/** s3://bucket/lake/raw/trades/metadata/v12.metadata.json */
export function metadataPath(
  store: Pick<ObjectStore, 'config'>,
  { namespace, name }: TableName,
  version: Pick<Version, 'number'>,
): string {
  const key = `${lakeMetadataPrefix(namespace, name)}${lakeMetadataFile(String(version.number))}`
  return `s3://${store.config.bucket}/${key}`
}
