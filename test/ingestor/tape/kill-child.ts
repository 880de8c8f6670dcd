/** Run by kill.test.ts: appends numbered frames and reports their count after each turn. */
import { writeSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import { openTape } from '../../../ingestor/tape/writer.ts'

const tape = openTape({
  dir: process.argv[2]!,
  max_bytes: 2 ** 30,
  segment_bytes: 256 * 1024,
  record_bytes_max: 64 * 1024,
  keep_s: 0,
  fsync_ms: 5,
  log: silentLogger,
})
for (let number = Number(process.argv[3]); ;) {
  const count = 1 + Math.floor(Math.random() * 400)
  for (let i = 0; i < count; i++) {
    const payload = Buffer.alloc(4 + Math.floor(Math.random() * 300))
    payload.writeUInt32LE(number++)
    tape.append('frame', 1, 1, micros(number), payload)
  }
  await nextTurn()
  writeSync(1, `${number}\n`)
}
