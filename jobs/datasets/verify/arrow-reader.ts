/** Reads Arrow files with apache-arrow, so that the check does not rely on our own code. */
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
