/**
 * What hyparquet needs to unpack our files. The workers runtime has both built in (node:zlib),
 * where decompressors in JavaScript would weigh on the bundle and be several times slower: the
 * one import of Node in the worker.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Compressors } from 'hyparquet'

/** Snappy hyparquet reads by itself. A page that is larger than its header says is refused. */
export const decompressors: Compressors = {
  ZSTD: (bytes, output_bytes) => zstdDecompressSync(bytes, limitedTo(output_bytes)),
  GZIP: (bytes, output_bytes) => gunzipSync(bytes, limitedTo(output_bytes)),
}

/** A column of nothing but nulls unpacks to no byte, which is no limit that zlib takes. */
function limitedTo(output_bytes: number): { readonly maxOutputLength: number } {
  return { maxOutputLength: Math.max(1, output_bytes) }
}
