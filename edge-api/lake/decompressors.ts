/**
 * Decompressors for hyparquet. The Workers runtime has zstd and gzip built in (node:zlib, the only
 * Node import of the worker); decompressors in JavaScript would enlarge the bundle and be several
 * times slower.
 *
 * A page of up to PAGE_BYTES_MAX is decompressed at once, to at most the size in its header. A
 * larger page is decompressed as a stream (`unpacked`), so it is never in memory as a whole.
 */
import { createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { snappyUncompress, type CompressionCodec, type Compressors } from 'hyparquet'

/** The largest page that is decompressed at once. */
export const PAGE_BYTES_MAX = 8 << 20

/** These throw RangeError or Error if a page is corrupt. parquet-reader.ts adds the file's name. */
export const decompressors: Compressors = {
  ZSTD: (bytes, page_bytes) => zstdDecompressSync(bytes, limitedTo(page_bytes)),
  GZIP: (bytes, page_bytes) => gunzipSync(bytes, limitedTo(page_bytes)),
  SNAPPY(bytes, page_bytes) {
    requirePlausible(page_bytes)
    const page = new Uint8Array(page_bytes)
    snappyUncompress(bytes, page)
    return page
  },
}

/** Whether pages of this codec can be decompressed as a stream. */
export function canStream(codec: CompressionCodec): boolean {
  return codec === 'ZSTD' || codec === 'GZIP'
}

/** A page's decompressed bytes as a stream, produced only as fast as the caller reads. */
export async function* unpacked(
  codec: CompressionCodec,
  packed: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const create = codec === 'ZSTD' ? createZstdDecompress : createGunzip
  const unpacker = create({ chunkSize: STREAM_CHUNK_BYTES })
  const feed = async (): Promise<void> => {
    for await (const bytes of packed) {
      // The callback runs when there is room for more.
      await new Promise<void>((resolve, reject) => {
        unpacker.write(bytes, (error) => (error ? reject(error) : resolve()))
      })
    }
    unpacker.end()
  }
  // If the reader stops early, the unpacker is destroyed and this error is not needed.
  feed().catch((error: unknown) => unpacker.destroy(error as Error))
  try {
    yield* unpacker
  } finally {
    unpacker.destroy()
  }
}

const STREAM_CHUNK_BYTES = 128 << 10

/**
 * workerd reserves a whole chunk (40 KiB today) before it knows whether more output follows, and
 * fails if that chunk exceeds maxOutputLength. With a limit of exactly the page's size it would
 * refuse some valid pages.
 */
const CHUNK_ROOM_BYTES = 1 << 20

function limitedTo(page_bytes: number): { readonly maxOutputLength: number } {
  requirePlausible(page_bytes)
  return { maxOutputLength: page_bytes + CHUNK_ROOM_BYTES }
}

function requirePlausible(page_bytes: number): void {
  if (page_bytes >= 0 && page_bytes <= PAGE_BYTES_MAX) return
  throw new RangeError(`The page size ${page_bytes} is out of range.`)
}
