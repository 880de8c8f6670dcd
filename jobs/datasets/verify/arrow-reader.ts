/** Arrow files as a reader that is not ours sees them: apache-arrow. */
import type { FileHandle } from 'node:fs/promises'
import { zstdDecompressSync } from 'node:zlib'
import { CompressionType, compressionRegistry, RecordBatchReader } from 'apache-arrow'

compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => zstdDecompressSync(bytes) })

/** The batches of a file, one at a time. */
export async function openArrow(handle: FileHandle): Promise<RecordBatchReader> {
  const reader = await RecordBatchReader.from(handle)
  await reader.open()
  return reader
}
