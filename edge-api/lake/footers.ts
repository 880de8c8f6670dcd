/** Reads footers of Parquet files and keeps them in memory. Written files never change. */
import { parquetMetadataAsync, type AsyncBuffer, type FileMetaData } from 'hyparquet'
import type { ByteRange } from './byte-ranges.ts'

/**
 * The footer grows with the file: 620 bytes for each symbol. With this guess one request usually
 * gets all of it, even of a file in which 130 symbols have few rows.
 */
const FOOTER_SHARE = 1 / 64
const FOOTER_BYTES = { least: 80 << 10, most: 512 << 10 }
/** Total size of the kept footers in their files; in memory they take ten times as much. */
const KEPT_FOOTER_BYTES = 1 << 20

/** Microseconds are exact in a number; hyparquet's default, a Date, would lose them. */
const parsers = { timestampFromMicroseconds: Number }

/** A file in the object store. */
export interface LakeFile {
  readonly key: string
  readonly byte_count: number
  /** Identifies the content: other content under the same key has another tag. */
  readonly tag: string
}

export type ReadFooter = (file: LakeFile) => Promise<FileMetaData>

export function createFooterReader(
  fetchRange: (file: LakeFile, range: ByteRange) => Promise<Uint8Array<ArrayBuffer>>,
): ReadFooter {
  const footers = new Map<string, FileMetaData>()
  return async (file) => {
    const name = `${file.key} ${file.tag}`
    const known = footers.get(name)
    if (known !== undefined) return known
    const buffer: AsyncBuffer = {
      byteLength: file.byte_count,
      slice: async (start, end = file.byte_count) =>
        (await fetchRange(file, { start, end })).buffer,
    }
    const guess = Math.ceil(file.byte_count * FOOTER_SHARE)
    const initialFetchSize = Math.min(Math.max(guess, FOOTER_BYTES.least), FOOTER_BYTES.most)
    const options = { parsers, initialFetchSize, geoparquet: false }
    const footer = await parquetMetadataAsync(buffer, options)
    keep(footers, name, footer)
    return footer
  }
}

function keep(footers: Map<string, FileMetaData>, name: string, footer: FileMetaData): void {
  footers.set(name, footer)
  let byte_count = 0
  for (const { metadata_length } of footers.values()) byte_count += metadata_length
  for (const [oldest, { metadata_length }] of footers) {
    if (byte_count <= KEPT_FOOTER_BYTES || oldest === name) return
    footers.delete(oldest)
    byte_count -= metadata_length
  }
}
