/** A thread that does one thing until it is terminated: it counts, or writes and syncs a file. */
import { fsyncSync, openSync, writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'

export type LoadTask = { readonly kind: 'core' } | { readonly kind: 'disk'; readonly file: string }

const CHUNK_BYTES = 4 * 1024 * 1024
const FILE_CHUNKS = 16

const task = workerData as LoadTask
if (task.kind === 'disk') {
  const fd = openSync(task.file, 'w')
  const chunk = Buffer.alloc(CHUNK_BYTES, 1)
  for (let count = 0; ; count++) {
    writeSync(fd, chunk, 0, CHUNK_BYTES, (count % FILE_CHUNKS) * CHUNK_BYTES)
    fsyncSync(fd)
  }
}
for (let count = 0; ; count++) Math.sqrt(count)
