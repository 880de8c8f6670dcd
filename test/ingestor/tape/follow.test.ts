import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import { openReader } from '../../../ingestor/tape/reader.ts'
import {
  appendText,
  createFolder,
  openSmall,
  readAll,
  seededRandom,
  segmentFiles,
  textsOf,
} from './support.ts'

const folder = createFolder()
const COUNT = 60_000

for (const knows_end of [true, false]) {
  test(`a reader in another thread follows the writer across segments, ${knows_end ? 'with' : 'without'} its end`, async () => {
    const dir = join(folder, `follow-${knows_end}`)
    const memory = new SharedArrayBuffer(8)
    const cell = new BigInt64Array(memory)
    const tape = openSmall(dir, {
      max_bytes: 64 * 1024 * 1024,
      segment_bytes: 128 * 1024,
      buffer_bytes: 16 * 1024,
      onEnd: (end) => Atomics.store(cell, 0, BigInt(end)),
    })
    const workerData = { dir, count: COUNT, memory: knows_end ? memory : undefined }
    const reader = new Worker(join(import.meta.dirname, 'follow-thread.ts'), { workerData })
    const answer = once(reader, 'message')
    const random = seededRandom(3)
    for (let number = 0; number < COUNT;) {
      for (let i = random() * 300; i > 0 && number < COUNT; i--) {
        const payload = Buffer.alloc(4 + Math.floor(random() * 290))
        payload.writeUInt32LE(number++)
        tape.append('frame', 1, 1, micros(1), payload)
      }
      await nextTurn()
    }
    tape.flush()
    const [result] = (await answer) as [unknown]
    expect(result).toEqual({ seen: COUNT, problem: undefined, position: tape.end })
    await tape.close()
  })
}

test('appended records become readable at the end of the turn, not before, and without a flush', async () => {
  const dir = join(folder, 'turn')
  const tape = openSmall(dir)
  const position = appendText(tape, 'one')
  expect(readAll(dir).lines).toEqual([])
  expect(tape.end).toBe(position)
  await nextTurn()
  expect(textsOf(readAll(dir))).toEqual(['one'])
  await tape.close()
})

test('a reader that has caught up continues when there is more, also in the next segment and after a restart', async () => {
  const dir = join(folder, 'lives')
  const first = openSmall(dir)
  const reader = openReader(dir, 'oldest')
  const more = (): readonly string[] => {
    const texts: string[] = []
    for (;;) {
      const { records, damage } = reader.readBatch()
      expect(damage).toBeUndefined()
      if (records.length === 0) return texts
      texts.push(...records.map(({ payload }) => payload.toString()))
    }
  }
  expect(more()).toEqual([])
  appendText(first, 'a')
  first.flush()
  expect(more()).toEqual(['a'])
  expect(more()).toEqual([])
  await first.close()
  const second = openSmall(dir)
  expect(more()).toEqual([])
  appendText(second, 'b')
  second.flush()
  expect(more()).toEqual(['b'])
  expect(reader.position).toBe(second.end)
  await second.close()
  reader.close()
})

test('a reader that finds any part of a record at the end waits for the rest', async () => {
  const dir = join(folder, 'partial')
  const tape = openSmall(dir)
  appendText(tape, 'whole')
  const at = appendText(tape, 'a record of which a part is written yet')
  await tape.close()
  const [path] = segmentFiles(dir)
  const bytes = readFileSync(path!)
  const head_bytes = bytes.length - tape.end
  for (let end = head_bytes + Number(at); end < bytes.length; end++) {
    writeFileSync(path!, bytes.subarray(0, end))
    const reader = openReader(dir, 'oldest')
    const read = () => {
      const { records, damage } = reader.readBatch()
      expect(damage).toBeUndefined()
      return records.map(({ payload }) => payload.toString())
    }
    expect(read().filter((text) => text.startsWith('a record'))).toEqual([])
    for (let again = 0; again < 3; again++) expect(read()).toEqual([])
    writeFileSync(path!, bytes)
    expect(read()).toContain('a record of which a part is written yet')
    reader.close()
  }
})

test('a record larger than buffer and window is written and read whole; one past the limit is refused', async () => {
  const dir = join(folder, 'large')
  const record_bytes_max = 3 * 1024 * 1024
  const tape = openSmall(dir, {
    record_bytes_max,
    segment_bytes: 2 * record_bytes_max,
    max_bytes: 8 * record_bytes_max,
  })
  const large = 'L'.repeat(record_bytes_max)
  expect(appendText(tape, 'before')).toBe(0)
  expect(appendText(tape, large)).toBe(30)
  expect(appendText(tape, `${large}!`)).toBe('too_large')
  expect(appendText(tape, 'after')).toBe(54 + record_bytes_max)
  await tape.close()
  expect(textsOf(readAll(dir)).map((text) => text.length)).toEqual([6, record_bytes_max, 5])
  expect(() => appendText(tape, 'closed')).toThrow('The tape is closed.')
})

test('a segment is deleted only keep_s after all of it was first seen as committed', async () => {
  const dir = join(folder, 'release')
  const tape = openSmall(dir, { keep_s: 60 })
  while (tape.status().segment_count < 4) appendText(tape, 'x'.repeat(200))
  tape.flush()
  const second_start = Number(basename(segmentFiles(dir)[1]!, '.tape'))
  expect(tape.release(second_start - 1, 0)).toBe(0)
  expect(tape.release(second_start - 1, 1_000_000)).toBe(0)
  expect(tape.release(second_start, 1_000_000)).toBe(0)
  expect(tape.release(second_start, 1_059_999)).toBe(0)
  expect(tape.status().oldest).toBe(0)
  expect(tape.release(second_start, 1_060_000)).toBe(second_start + 64)
  expect(tape.status().oldest).toBe(second_start)
  expect(tape.release(tape.end, 1_060_000)).toBe(0)
  expect(tape.release(tape.end, 9_060_000)).toBeGreaterThan(0)
  expect(tape.status().segment_count).toBe(1)
  await tape.close()
})

test('a second writer is refused while the first runs, and limits that cannot hold a record are named', async () => {
  const dir = join(folder, 'locked')
  const tape = openSmall(dir)
  expect(() => openSmall(dir)).toThrow(
    expect.objectContaining({
      code: 'tape_locked',
      message: expect.stringContaining(String(process.pid)),
    }),
  )
  await tape.close()
  await openSmall(dir).close()
  expect(() => openSmall(join(folder, 'limits'), { segment_bytes: 100, max_bytes: 50 })).toThrow(
    /segment_bytes is 100, at least 388; max_bytes is 50, at least/,
  )
})
