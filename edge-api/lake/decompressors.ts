/**
 * What hyparquet needs to unpack our files. The workers runtime has zstd and gzip built in
 * (node:zlib), where decompressors in JavaScript would weigh on the bundle and be several times
 * slower: the one import of Node in the worker.
 *
 * A page of up to PAGE_BYTES_MAX is unpacked at once and gives no more than its header says. A
 * larger one is unpacked as it is read (`unpacked`), so that it is never held.
 */
import { createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { snappyUncompress, type CompressionCodec, type Compressors } from 'hyparquet'

/** The largest page that is unpacked at once. */
export const PAGE_BYTES_MAX = 8 << 20

/** Throw RangeError or Error where the page is corrupt; the reader says which file it is. */
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

/** Codecs whose pages can be unpacked as they are read. */
export function canStream(codec: CompressionCodec): boolean {
  return codec === 'ZSTD' || codec === 'GZIP'
}

/** A page's bytes as they are unpacked; no further than the caller asks. */
export async function* unpacked(
  codec: CompressionCodec,
  packed: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const create = codec === 'ZSTD' ? createZstdDecompress : createGunzip
  const unpacker = create({ chunkSize: STREAM_CHUNK_BYTES })
  const feed = async (): Promise<void> => {
    for await (const bytes of packed) {
      // Called back once there is room for more.
      await new Promise<void>((resolve, reject) => {
        unpacker.write(bytes, (error) => (error ? reject(error) : resolve()))
      })
    }
    unpacker.end()
  }
  // A reader that has enough destroys the unpacker, and then nobody asks for the error.
  feed().catch((error: unknown) => unpacker.destroy(error as Error))
  try {
    yield* unpacker
  } finally {
    unpacker.destroy()
  }
}

const STREAM_CHUNK_BYTES = 128 << 10

/**
 * workerd asks for room for a whole chunk (40 KiB today) before it looks whether more comes, and
 * fails where that chunk goes beyond maxOutputLength: a limit of just the page's size refuses
 * pages whose end lies in the first chunk behind a growth of its buffer.
 */
const CHUNK_ROOM_BYTES = 1 << 20

function limitedTo(page_bytes: number): { readonly maxOutputLength: number } {
  requirePlausible(page_bytes)
  return { maxOutputLength: page_bytes + CHUNK_ROOM_BYTES }
}

function requirePlausible(page_bytes: number): void {
  if (page_bytes >= 0 && page_bytes <= PAGE_BYTES_MAX) return
  throw new RangeError(`A page would have ${page_bytes} bytes.`)
}
