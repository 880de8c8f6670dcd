/** Single records by position, over several segments, against what the reader gives. */
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import { RecordPicker } from '../../../ingestor/tape/pick.ts'
import { openReader } from '../../../ingestor/tape/reader.ts'
import type { TapeRecord } from '../../../ingestor/tape/record.ts'
import { openTape } from '../../../ingestor/tape/writer.ts'
import { temporaryDirectory } from '../writer/support.ts'

test('any record reads back, and what is no record does not', async () => {
  const dir = temporaryDirectory()
  const tape = openTape({
    dir,
    max_bytes: 64 * 1024 * 1024,
    segment_bytes: 1024 * 1024,
    record_bytes_max: 512 * 1024,
    keep_s: 600,
    log: silentLogger,
    onEnd: () => undefined,
  })
  // Some are larger than a window, some fill several segments.
  for (let at = 0; at < 400; at++) {
    const payload = Buffer.alloc(at % 40 === 7 ? 100_000 + at : 50 + at * 7, at % 251)
    tape.append('frame', 1, at, micros(1_000_000 + at), payload)
    tape.flush()
  }
  await tape.close()
  const all: TapeRecord[] = []
  const reader = openReader(dir, 0)
  for (;;) {
    const { records } = reader.readBatch()
    if (records.length === 0) break
    for (const record of records) all.push({ ...record, payload: Buffer.from(record.payload) })
  }
  reader.close()
  expect(all.length).toBe(400)
  const picker = new RecordPicker(dir)
  const chosen = [...all.filter((_, at) => at % 3 === 0), ...all.toReversed()]
  for (const record of chosen) expect(picker.read(record.position)).toEqual(record)
  expect(picker.read(all[5]!.position + 1)).toBeUndefined()
  expect(picker.read(all.at(-1)!.next)).toBeUndefined()
  picker.close()
})
