/** What an import of a file comes to. */
import type { Micros } from '#core/time.ts'
import type { FileFacts } from './file-records.ts'
import type { SourceFile } from './kind.ts'
import type { MissingDay } from './missing-day.ts'

export type FileResult = { readonly file: SourceFile } & (
  | ImportedResult
  /** Done before; with `is_recheck`, the source still has the same file. */
  | { readonly kind: 'known' }
  | { readonly kind: 'absent'; readonly day: MissingDay }
  | { readonly kind: 'failed'; readonly error: unknown }
)

export interface ImportedResult {
  readonly kind: 'imported'
  readonly facts: FileFacts
  readonly closed_gaps: number
  /** True if the source had another file of this name before. */
  readonly is_replaced: boolean
  /** Hours in which the table changed. */
  readonly hours: readonly Micros[]
  /** Hours that were left as they had been recorded. */
  readonly uncovered_hours: readonly Micros[]
}

/** A fetched file that is not imported yet. */
export interface Found {
  readonly sha256: string
  readonly byte_count: number
  readonly is_replaced: boolean
}
