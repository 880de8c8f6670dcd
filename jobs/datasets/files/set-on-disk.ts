/** A dataset's day on disk, before it is published. */
import type { DatasetColumn, DatasetFile } from '#core/dataset.ts'

export interface SetOnDisk {
  readonly dataset: string
  readonly schema_version: number
  readonly columns: readonly DatasetColumn[]
  readonly dir: string
  readonly row_count: number
  readonly files: readonly DatasetFile[]
}
