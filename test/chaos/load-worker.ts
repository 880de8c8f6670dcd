/** A load thread, until terminated: it counts, rewrites memory, or writes and syncs a file. */
import { fsyncSync, openSync, writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'

export type LoadTask =
  | { readonly kind: 'core' | 'memory' }
  | { readonly kind: 'disk'; readonly file: string }

const CHUNK_BYTES = 4 * 1024 * 1024
const FILE_CHUNKS = 16
/** A gigabyte is larger than every cache, so it takes memory and bandwidth from other programs. */
const MEMORY_CHUNKS = 256

const task = workerData as LoadTask
if (task.kind === 'disk') {
  const fd = openSync(task.file, 'w')
  const chunk = Buffer.alloc(CHUNK_BYTES, 1)
  for (let count = 0; ; count++) {
    writeSync(fd, chunk, 0, CHUNK_BYTES, (count % FILE_CHUNKS) * CHUNK_BYTES)
    fsyncSync(fd)
  }
}
if (task.kind === 'memory') {
  const chunks = Array.from({ length: MEMORY_CHUNKS }, () => Buffer.alloc(CHUNK_BYTES, 1))
  for (let count = 0; ; count++) chunks[count % MEMORY_CHUNKS]!.fill(count)
}
for (let count = 0; ; count++) Math.sqrt(count)
