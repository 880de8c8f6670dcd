/** Thread of follow.test.ts: reads a tape while it is being written, until it has seen enough. */
import { parentPort, workerData } from 'node:worker_threads'
import { openReader } from '../../../ingestor/tape/reader.ts'

const { dir, count, memory } = workerData as {
  readonly dir: string
  readonly count: number
  /** The writer's end, if the reader knows it. */
  readonly memory: SharedArrayBuffer | undefined
}
const cell = memory === undefined ? undefined : new BigInt64Array(memory)
const reader = openReader(dir, 'oldest')
let seen = 0
let problem: string | undefined
while (seen < count && problem === undefined) {
  const end = cell === undefined ? undefined : Number(Atomics.load(cell, 0))
  const { records, damage } = reader.readBatch(64 * 1024, end)
  if (damage !== undefined) problem = `damage: ${JSON.stringify(damage)}`
  for (const { payload, position, next } of records) {
    const number = payload.readUInt32LE()
    if (number !== seen++) problem ??= `frame ${number} in place of ${seen - 1}`
    if (next !== position + 24 + payload.length) problem ??= `frame ${number} ends at ${next}`
  }
}
parentPort!.postMessage({ seen, problem, position: reader.position }, [])
reader.close()
