/** How dataset files identify themselves, in Parquet and in Arrow. */
import type { Day } from '#core/time.ts'

/** A file's identity. It does not depend on when or where the file was made. */
export interface FileIdentity {
  readonly dataset: string
  readonly schema_version: number
  readonly date: Day
}

/** Written as the file's creator, because a library's default would change with its version. */
export const CREATED_BY = 'booktape'

export function identityPairs(identity: FileIdentity): readonly (readonly [string, string])[] {
  return [
    ['dataset', identity.dataset],
    ['schema_version', String(identity.schema_version)],
    ['date', identity.date],
  ]
}
