import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { DatasetFile } from '#core/dataset.ts'
import { digestOf } from '../../columns/digest.ts'

/** Size and sha256 of a local file, as the manifest names it. */
export async function describeFile(
  dir: string,
  name: string,
  format: DatasetFile['format'],
  row_count: number,
): Promise<DatasetFile> {
  const digest = await digestOf(createReadStream(join(dir, name)))
  return { name, format, ...digest, row_count }
}
