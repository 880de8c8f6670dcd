/** Compression of pages. Every Parquet reader supports these three codecs. */
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { snappyUncompress, type CompressionCodec } from 'hyparquet'
import { snappyCompress } from 'hyparquet-writer/src/snappy.js'

export const CODECS = ['zstd', 'snappy', 'gzip'] as const
export type Codec = (typeof CODECS)[number]

/** Quotes take 7.1 bytes per row at level 3, and 8.3 at level 1. */
const ZSTD_LEVEL = 3

export const PARQUET_NAME: Readonly<Record<Codec, CompressionCodec>> = {
  zstd: 'ZSTD',
  snappy: 'SNAPPY',
  gzip: 'GZIP',
}

export function compress(codec: Codec, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case 'zstd':
      return zstdCompressSync(bytes, {
        params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
      })
    case 'snappy':
      return snappyCompress(bytes)
    case 'gzip':
      return gzipSync(bytes)
  }
}

/** In the form that hyparquet expects. */
export function decompress(
  codec: CompressionCodec,
  bytes: Uint8Array,
  byte_count: number,
): Uint8Array {
  switch (codec) {
    case 'ZSTD':
      return zstdDecompressSync(bytes)
    case 'GZIP':
      return gunzipSync(bytes)
    case 'SNAPPY': {
      const out = new Uint8Array(byte_count)
      snappyUncompress(bytes, out)
      return out
    }
    default:
      throw new Error(`The archive does not use the Parquet codec ${codec}.`)
  }
}
