/** Run by full.test.ts on a tiny file system: fills it, makes room, continues; prints the steps. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import { openReader } from '../../../ingestor/tape/reader.ts'
import { openTape } from '../../../ingestor/tape/writer.ts'

const disk = process.argv[2]!
const dir = join(disk, 'tape')
const ballast = join(disk, 'ballast')
writeFileSync(ballast, Buffer.alloc(64 * 1024))
const tape = openTape({
  dir,
  max_bytes: 1_000_000,
  segment_bytes: 32 * 1024,
  record_bytes_max: 4_096,
  buffer_bytes: 4_096,
  keep_s: 0,
  log: silentLogger,
})
const taken: number[] = []
let given = 0
const append = (kind: 'frame' | 'mark', bytes: number): boolean => {
  const payload = Buffer.alloc(bytes)
  payload.writeUInt32LE(given++)
  const is_taken = typeof tape.append(kind, 1, 1, micros(1), payload) === 'number'
  if (is_taken) taken.push(given - 1)
  return is_taken
}
while (append('frame', 700));
for (let mark = 0; mark < 5; mark++) append('mark', 100)
tape.flush()
const cause = tape.full?.cause

rmSync(ballast)
for (let i = 0; i < 50 && tape.full !== undefined; i++) await sleep(100)
const resumed = append('frame', 700)
await tape.close()

const read: number[] = []
let refused_bytes = 0
const reader = openReader(dir, 'oldest')
for (;;) {
  const { records, damage } = reader.readBatch()
  if (damage !== undefined) refused_bytes += damage.to - damage.from
  else if (records.length === 0) break
  for (const { payload } of records) read.push(payload.readUInt32LE())
}
reader.close()
process.stdout.write(JSON.stringify({ cause, taken, read, refused_bytes, resumed }))
