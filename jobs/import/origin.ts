/** Where files come from. */
import { OperatorError } from '#core/errors.ts'
import type { SourceFile } from './kind.ts'

export interface Found {
  /** Undefined: the server does not say. */
  readonly byte_count: number | undefined
}

export interface Origin {
  /** Undefined: there is no such file. */
  find(file: SourceFile): Promise<Found | undefined>
  /** The sha256 that the source states; undefined: it has no CHECKSUM. */
  checksum(file: SourceFile): Promise<string | undefined>
  /**
   * A local path of the file's content. `part` may be written for it; if `stated` is the checksum,
   * what an earlier run left there is continued.
   */
  get(
    file: SourceFile,
    part: string,
    stated: string | undefined,
    onBytes: (count: number) => void,
  ): Promise<string>
}

/** `9c1f…  BTCUSDT-aggTrades-2024-03-29.zip`. Errors: `import_checksum`. */
export function sumOf({ path }: SourceFile, text: string): string {
  const sum = /^([0-9a-f]{64})\b/i.exec(text.trim())?.[1]
  if (sum !== undefined) return sum.toLowerCase()
  throw new OperatorError('import_checksum', `${path}.CHECKSUM does not begin with a sha256.`, {
    hint: 'Nothing of the file was stored. Fetch its CHECKSUM again, or delete it if there is none.',
    retryable: true,
  })
}
