/** A dataset's day on disk, before it is published. */
import type { DatasetFile } from '#core/dataset.ts'
import type { DatasetColumn } from '#core/features/column.ts'

export interface SetOnDisk {
  readonly dataset: string
  readonly schema_version: number
  readonly columns: readonly DatasetColumn[]
  readonly dir: string
  readonly row_count: number
  readonly files: readonly DatasetFile[]
  /** Of the manifest. */
  readonly parameters?: Readonly<Record<string, number>>
}
