import {
  appendFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { openReader } from '../../../ingestor/tape/reader.ts'
import {
  appendText,
  copyOf,
  createFolder,
  openSmall,
  readAll,
  segmentFiles,
  textsOf,
  type Contents,
} from './support.ts'

const HEADER_BYTES = 64
const folder = createFolder()
const killed = join(folder, 'killed')
let intact: Contents

beforeAll(async () => {
  const dir = join(folder, 'original')
  const tape = openSmall(dir)
  for (let i = 0; i < 60; i++)
    appendText(tape, `${i} ${'x'.repeat((i * 37) % 250)}`, i % 7 === 0 ? 'rest' : 'frame')
  tape.flush()
  copyOf(dir, killed)
  await tape.close()
  intact = readAll(killed)
  expect(segmentFiles(killed).length).toBeGreaterThan(3)
  expect(intact.lines).toHaveLength(60)
})

test('a tape cut at any byte of header and first records, and at many later ones, keeps every whole record and reports the cut', async () => {
  const last = segmentFiles(killed).at(-1)!
  const size = readFileSync(last).length
  const first = Number(last.slice(-21, -5))
  for (let length = 0; length <= size; length += length < 300 ? 1 : 29) {
    const dir = copyOf(killed, join(folder, 'cut'))
    truncateSync(segmentFiles(dir).at(-1)!, length)
    const file_end = first + Math.max(0, length - HEADER_BYTES)
    const kept = intact.lines.filter(({ next }) => next <= file_end)
    const whole_end = kept.at(-1)!.next
    const torn_bytes = file_end - whole_end

    expect(readAll(dir).lines, `before recovery, cut at ${length}`).toEqual(kept)
    const tape = openSmall(dir)
    expect(tape.recovery.clean).toBe(false)
    expect(tape.recovery.cut).toEqual(
      torn_bytes === 0 ? undefined : { position: whole_end, bytes: torn_bytes },
    )
    expect(tape.end).toBeGreaterThan(intact.position)
    const position = appendText(tape, 'after')
    await tape.close()

    const { lines, damage } = readAll(dir)
    const marks = lines.filter(({ kind }) => kind === 'mark')
    expect(damage).toEqual([])
    expect(lines.slice(0, kept.length), `cut at ${length}`).toEqual(kept)
    expect(lines.at(-1)?.position).toBe(position)
    expect(
      marks.map(({ payload }) => JSON.parse(Buffer.from(payload, 'base64').toString())),
    ).toEqual(torn_bytes === 0 ? [] : [{ kind: 'cut', position: whole_end, bytes: torn_bytes }])
    expect(lines).toHaveLength(kept.length + marks.length + 1)
  }
})

test('any flipped bit costs only the record that holds it, and the reader reports its range', () => {
  const dir = copyOf(killed, join(folder, 'flip'))
  for (const path of segmentFiles(dir)) {
    const bytes = readFileSync(path)
    const first = Number(path.slice(-21, -5))
    for (let at = 0; at < bytes.length; at += at < 150 ? 3 : 41) {
      const bit = 1 << (at % 8)
      bytes[at]! ^= bit
      writeFileSync(path, bytes)
      bytes[at]! ^= bit
      const position = first + at - HEADER_BYTES
      const hit = at < HEADER_BYTES ? undefined : intact.lines.find(({ next }) => position < next)!
      // Without `end` the torn last record may still be in progress.
      const { lines, damage } = readAll(dir, 'oldest', intact.position)
      expect(lines, `bit ${bit} of byte ${at} of ${path}`).toEqual(
        intact.lines.filter((line) => line !== hit),
      )
      expect(damage).toEqual(
        hit === undefined ? [] : [{ from: hit.position, to: hit.next, reason: 'corrupt', path }],
      )
    }
    writeFileSync(path, bytes)
  }
})

test('recovery does not cut what follows a corrupt record in the last segment', async () => {
  const dir = copyOf(killed, join(folder, 'middle'))
  const path = segmentFiles(dir).at(-1)!
  const first = Number(path.slice(-21, -5))
  const victim = intact.lines.find(({ position }) => position > first)!
  const bytes = readFileSync(path)
  bytes[HEADER_BYTES + victim.position - first + 30]! ^= 4
  writeFileSync(path, bytes)
  const tape = openSmall(dir)
  expect(tape.recovery.cut).toBeUndefined()
  await tape.close()
  const { lines, damage } = readAll(dir)
  expect(lines).toEqual(intact.lines.filter((line) => line !== victim))
  expect(damage).toEqual([{ from: victim.position, to: victim.next, reason: 'corrupt', path }])
})

test('a run of zeros, as after a power failure, is reported and the next segment is read', () => {
  const dir = copyOf(killed, join(folder, 'zeros'))
  const path = segmentFiles(dir)[1]!
  const first = Number(path.slice(-21, -5))
  const bytes = readFileSync(path)
  bytes.fill(0, 500)
  writeFileSync(path, bytes)
  const kept = intact.lines.filter(
    ({ position, next }) =>
      next <= first + 500 - HEADER_BYTES || position >= first + bytes.length - HEADER_BYTES,
  )
  const { lines, damage } = readAll(dir)
  expect(lines).toEqual(kept)
  expect(damage).toHaveLength(1)
  expect(damage[0]).toMatchObject({
    to: first + bytes.length - HEADER_BYTES,
    reason: 'corrupt',
    path,
  })
})

test('records at a wrong position do not count: a segment under another name gives none', () => {
  const dir = copyOf(killed, join(folder, 'renamed'))
  const [one, two] = segmentFiles(dir) as [string, string]
  const stolen = readFileSync(one)
  writeFileSync(two, stolen)
  const { lines, damage } = readAll(dir)
  const first = Number(two.slice(-21, -5))
  const end = Number(segmentFiles(dir)[2]!.slice(-21, -5))
  expect(lines).toEqual(intact.lines.filter(({ position }) => position < first || position >= end))
  expect(damage).toEqual([{ from: first, to: end, reason: 'corrupt', path: two }])
})

test('a deleted segment in the middle is reported as missing, and so is a position older than the tape', () => {
  const dir = copyOf(killed, join(folder, 'deleted'))
  const [first, second, third] = segmentFiles(dir) as [string, string, string]
  const position = (path: string): number => Number(path.slice(-21, -5))
  rmSync(second)
  expect(readAll(dir).damage).toEqual([
    { from: position(second), to: position(third), reason: 'missing', path: first },
  ])
  rmSync(first)
  expect(readAll(dir, 0).damage).toEqual([
    { from: 0, to: position(third), reason: 'missing', path: third },
  ])
  expect(readAll(dir).damage).toEqual([])
})

test('a position past the end is refused with both numbers, and a folder without a tape by name', () => {
  expect(() => openReader(killed, intact.position + 1)).toThrow(
    expect.objectContaining({
      code: 'tape_position_beyond_end',
      message: expect.stringMatching(`${intact.position + 1}.*ends at ${intact.position}`),
    }),
  )
  expect(() => openReader(join(folder, 'nowhere'), 0)).toThrow(
    expect.objectContaining({ code: 'tape_missing' }),
  )
})

test('a position inside a record is damage up to the next record, not garbage', () => {
  const [first, second] = intact.lines
  const { lines, damage } = readAll(killed, first!.position + 5)
  expect(lines[0]).toEqual(second)
  expect(damage).toMatchObject([
    { from: first!.position + 5, to: second!.position, reason: 'corrupt' },
  ])
})

test('segments of two tapes in one folder are refused', async () => {
  const dir = copyOf(killed, join(folder, 'mixed'))
  const other = join(folder, 'other')
  const tape = openSmall(other)
  appendText(tape, 'x')
  await tape.close()
  const path = segmentFiles(other)[0]!
  const end = intact.position + 1_000
  renameSync(path, join(dir, `${String(end).padStart(16, '0')}.tape`))
  // Its header counts only under its original name.
  expect(readAll(dir).lines).toEqual(intact.lines)
  renameSync(join(dir, `${String(end).padStart(16, '0')}.tape`), segmentFiles(dir)[0]!)
  expect(() => openReader(dir, 'oldest')).toThrow(expect.objectContaining({ code: 'tape_mixed' }))
})

test('a segment of a format that this build does not know is refused, not read as damage', () => {
  const dir = copyOf(killed, join(folder, 'foreign'))
  const path = segmentFiles(dir).at(-1)!
  const header = readFileSync(path)
  writeVersion(header, 3)
  writeFileSync(path, header)
  for (const open of [() => openReader(dir, 'oldest'), () => openSmall(dir)]) {
    expect(open).toThrow(expect.objectContaining({ code: 'tape_format_unknown' }))
  }
})

test('a tape of format 1 is read and continued in the new format; a flipped bit in it is found', async () => {
  const dir = copyOf(killed, join(folder, 'version-1'))
  for (const path of segmentFiles(dir)) {
    const bytes = readFileSync(path)
    const first = Number(path.slice(-21, -5))
    writeVersion(bytes, 1)
    for (const { position, next } of intact.lines) {
      const at = HEADER_BYTES + position - first
      const end = HEADER_BYTES + next - first
      if (at < HEADER_BYTES || end > bytes.length) continue
      bytes.writeUInt32LE(crcOf(bytes.subarray(at + 4, end), position), at)
    }
    writeFileSync(path, bytes)
  }
  expect(readAll(dir)).toEqual(intact)

  const tape = openSmall(dir)
  appendText(tape, 'after')
  await tape.close()
  const [oldest] = segmentFiles(dir) as [string]
  const versions = segmentFiles(dir).map((path) => readFileSync(path).readUInt32LE(8))
  expect([versions[0], versions.at(-1)]).toEqual([1, 2])
  expect(readAll(dir).lines.slice(0, -1)).toEqual(intact.lines)
  expect(textsOf(readAll(dir)).at(-1)).toBe('after')

  const [, victim] = intact.lines
  const bytes = readFileSync(oldest)
  bytes[HEADER_BYTES + victim!.next - 1]! ^= 1
  writeFileSync(oldest, bytes)
  expect(readAll(dir).damage).toEqual([
    { from: victim!.position, to: victim!.next, reason: 'corrupt', path: oldest },
  ])
})

test('garbage after the end, of any content, is cut', async () => {
  const dir = copyOf(killed, join(folder, 'garbage'))
  appendFileSync(segmentFiles(dir).at(-1)!, Buffer.alloc(5_000, 0xb7))
  const tape = openSmall(dir)
  expect(tape.recovery.cut).toEqual({ position: intact.position, bytes: 5_000 })
  await tape.close()
  expect(textsOf(readAll(dir)).at(-1)).toBe(
    `{"kind":"cut","position":${intact.position},"bytes":5000}`,
  )
})

function writeVersion(segment: Buffer, version: number): void {
  segment.writeUInt32LE(version, 8)
  segment.writeUInt32LE(crcOf(segment.subarray(0, 60)), 60)
}

/** CRC-32 bit by bit, so the checksum is not tested with its own code. */
function crcOf(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
