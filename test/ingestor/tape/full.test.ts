import { spawnSync } from 'node:child_process'
import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { TapeFiles } from '../../../ingestor/tape/files.ts'
import type { TapeFull } from '../../../ingestor/tape/tape.ts'
import {
  appendText,
  createFolder,
  diskBytes,
  openSmall,
  readAll,
  seededRandom,
  SMALL,
  textsOf,
  UNSYNCED,
} from './support.ts'

const folder = createFolder()

interface SmallDisk {
  readonly files: TapeFiles
  add(bytes: number): void
}

/** A disk of `free_bytes` that writes what fits and then refuses, like a real one. */
function smallDisk(free_bytes: number, code = 'ENOSPC'): SmallDisk {
  let left = free_bytes
  const sizes = new Map<string, number>()
  const paths = new Map<number, string>()
  const resize = (path: string, bytes: number): void => {
    left += (sizes.get(path) ?? 0) - bytes
    sizes.set(path, bytes)
  }
  const files: TapeFiles = {
    ...UNSYNCED,
    create(path) {
      const fd = UNSYNCED.create(path)
      paths.set(fd, path)
      return fd
    },
    write(fd, bytes, offset, length, file_offset) {
      const path = paths.get(fd)!
      const fitting = Math.min(length, left + (sizes.get(path) ?? 0) - file_offset)
      if (fitting <= 0) throw Object.assign(new Error(`${code}: write`), { code })
      const written = UNSYNCED.write(fd, bytes, offset, fitting, file_offset)
      resize(path, Math.max(sizes.get(path) ?? 0, file_offset + written))
      return written
    },
    truncate(fd, file_bytes) {
      UNSYNCED.truncate(fd, file_bytes)
      resize(paths.get(fd)!, file_bytes)
    },
    unlink(path) {
      UNSYNCED.unlink(path)
      resize(path, 0)
      sizes.delete(path)
    },
  }
  return { files, add: (bytes) => (left += bytes) }
}

test('a tape that has used its budget refuses frames, accepts marks, and never exceeds it', async () => {
  const dir = join(folder, 'budget')
  const told: (TapeFull | undefined)[] = []
  const tape = openSmall(dir, { onFull: (full) => told.push(full), now_us: () => 5 })
  let count = 0
  while (appendText(tape, `frame ${count}`.padEnd(200)) !== 'full') count += 1
  expect(tape.full).toEqual({ cause: 'budget', since_us: 5 })
  expect(appendText(tape, 'deaf', 'mark')).toBeTypeOf('number')
  expect(appendText(tape, 'rest', 'rest')).toBe('full')
  let mark_count = 1
  while (appendText(tape, 'm'.repeat(100), 'mark') !== 'full') mark_count += 1
  tape.flush()
  expect(mark_count).toBeGreaterThan(5)
  expect(diskBytes(dir)).toBeLessThanOrEqual(SMALL.max_bytes)
  expect(readAll(dir).lines).toHaveLength(count + mark_count)

  expect(tape.release(0, 0)).toBe(0)
  expect(tape.full).toBeDefined()
  expect(tape.release(tape.end, 0)).toBeGreaterThan(0)
  await nextTurn()
  expect(told).toEqual([{ cause: 'budget', since_us: 5 }, undefined])
  expect(tape.full).toBeUndefined()
  expect(appendText(tape, 'again')).toBeTypeOf('number')
  await tape.close()
  expect(textsOf(readAll(dir)).at(-1)).toBe('again')
})

test('a full tape can be closed, killed and opened repeatedly without exceeding its budget', async () => {
  const dir = join(folder, 'reopened')
  let tape = openSmall(dir)
  while (appendText(tape, 'x'.repeat(250)) !== 'full');
  while (appendText(tape, 'm', 'mark') !== 'full');
  tape.flush()
  const end = tape.end
  for (let life = 0; life < 5; life++) {
    await tape.close()
    if (life % 2 === 1) unlinkSync(join(dir, 'closed'))
    tape = openSmall(dir)
    expect(tape.full?.cause).toBe('budget')
    expect(appendText(tape, 'x')).toBe('full')
    expect(diskBytes(dir)).toBeLessThanOrEqual(SMALL.max_bytes)
  }
  expect(readAll(dir).lines.at(-1)?.next).toBe(end)
  await tape.close()
})

for (const code of ['ENOSPC', 'EDQUOT', 'EIO']) {
  test(`${code} at any byte loses no accepted record, and the tape resumes`, async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const random = seededRandom(7)
    for (let free_bytes = 2_800; free_bytes < 14_000; free_bytes += 97) {
      const dir = join(folder, `${code}-${free_bytes}`)
      const disk = smallDisk(free_bytes, code)
      const tape = openSmall(dir, { files: disk.files })
      const taken: string[] = []
      const append = (text: string, kind: 'frame' | 'mark' = 'frame'): unknown => {
        const result = appendText(tape, text, kind)
        if (typeof result === 'number') taken.push(text)
        return result
      }
      for (let i = 0; i < 100; i++) {
        if (append(`${i} ${'x'.repeat(random() * 250)}`) === 'full') break
        if (random() < 0.2) tape.flush()
      }
      tape.flush()
      expect(tape.full?.cause, `free ${free_bytes}`).toBe(code)
      append('deaf', 'mark')
      tape.flush()
      expect(textsOf(readAll(dir)), `free ${free_bytes}`).toEqual(taken)
      expect(readAll(dir, 'oldest', tape.end).damage).toEqual([])

      vi.advanceTimersByTime(5_000)
      expect(tape.full?.cause).toBe(code)
      disk.add(20_000)
      vi.advanceTimersByTime(1_000)
      expect(tape.full).toBeUndefined()
      append('again')
      await tape.close()
      const { lines, damage } = readAll(dir)
      expect(damage).toEqual([])
      expect(Buffer.from(lines.at(-1)!.payload, 'base64').toString()).toBe('again')
    }
  })
}

test('after a failed fsync the tape refuses frames; it starts a new segment before it resumes', async () => {
  const dir = join(folder, 'fsync')
  let fails = true
  const sync = async (): Promise<void> => {
    if (fails) throw Object.assign(new Error('EIO: fdatasync'), { code: 'EIO' })
  }
  const tape = openSmall(dir, { files: { ...UNSYNCED, sync } })
  appendText(tape, 'before')
  await expect(tape.sync()).rejects.toMatchObject({ code: 'tape_sync_failed' })
  expect(tape.full?.cause).toBe('EIO')
  expect(tape.status().synced).toBe(0)
  expect(appendText(tape, 'refused')).toBe('full')
  fails = false
  await vi.waitFor(() => expect(tape.full).toBeUndefined(), { timeout: 100_000 })
  expect(tape.status().segment_count).toBe(2)
  appendText(tape, 'after')
  await tape.sync()
  await tape.close()
  expect(textsOf(readAll(dir))).toEqual(['before', 'after'])
})

test('a disk that refuses until shutdown: the refused records are reported as lost, and the end is not clean', async () => {
  const dir = join(folder, 'refuses')
  const disk = smallDisk(100_000)
  const tape = openSmall(dir, { files: disk.files })
  appendText(tape, 'kept')
  tape.flush()
  disk.add(-200_000)
  appendText(tape, 'lost')
  await tape.close()
  const again = openSmall(dir)
  expect(again.recovery).toEqual({ clean: false, cut: undefined })
  await again.close()
  expect(textsOf(readAll(dir))).toEqual(['kept'])
})

const CAN_MOUNT = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

test.skipIf(!CAN_MOUNT)(
  'a real full file system (a small tmpfs; skipped if mounting in a namespace is not allowed)',
  () => {
    const child = join(import.meta.dirname, 'small-disk-child.ts')
    const script = 'mount -t tmpfs -o size=256k none /mnt && exec "$0" "$1" /mnt'
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-rm', 'sh', '-c', script, process.execPath, child],
      {
        encoding: 'utf8',
      },
    )
    expect(stderr).toBe('')
    const { cause, taken, read, refused_bytes, resumed } = JSON.parse(stdout) as Record<
      string,
      unknown
    >
    expect({ cause, resumed }).toEqual({ cause: 'ENOSPC', resumed: true })
    expect(read).toEqual(taken)
    expect(refused_bytes).toBe(0)
  },
)
