/**
 * What hyparquet needs to unpack our files. The workers runtime has zstd and gzip built in
 * (node:zlib), where decompressors in JavaScript would weigh on the bundle and be several times
 * slower: the one import of Node in the worker.
 *
 * No page gives more than its header says, and no header is believed beyond PAGE_BYTES_MAX:
 * hyparquet compares the length of what comes back, and these bound what it takes to find out.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { snappyUncompress, type Compressors } from 'hyparquet'
import { LAKE_LIMITS } from './budget.ts'

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

/** The column that a page belongs to may not be larger either. */
const PAGE_BYTES_MAX = LAKE_LIMITS.unpacked_byte_count_max

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
