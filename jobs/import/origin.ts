/** Where files come from. */
import type { SourceFile } from './kind.ts'

export interface Found {
  /** Undefined: the server does not say. */
  readonly byte_count: number | undefined
}

export interface Origin {
  /** Undefined: there is no such file. */
  find(file: SourceFile): Promise<Found | undefined>
  /** The sha256 that the source states; undefined: it states none. */
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

/** `9c1f…  BTCUSDT-aggTrades-2024-03-29.zip` */
export function sumOf(text: string): string | undefined {
  return /^([0-9a-f]{64})\b/i.exec(text.trim())?.[1]?.toLowerCase()
}
