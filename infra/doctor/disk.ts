/** The disks of the tape and of the files of jobs: room, kind, and how long an fsync takes. */
import { constants } from 'node:fs'
import { access, open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { IngestorConfig } from '../../ingestor/config.ts'
import { attempt, type Check, failure, fine, type Finding, warning } from './finding.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
/** A day's datasets are made here before they are uploaded. */
const WORK_BYTES_MIN = 5 * GIB
/** What 10,000 frames a second bring between two fsyncs of 500 ms. */
const PROBE_BYTES = MIB
const PROBE_ROUNDS = 10
/** Largest share of the fsync interval that one fsync may take. */
const FSYNC_SHARE = 0.2
const FREE_INODES_MIN = 1_000

/** File systems by their number (statfs). */
const MEMORY_TYPES: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0x65735546, 'FUSE'],
])

export function tapeChecks(tape: IngestorConfig['tape']): readonly Check[] {
  return [{ check: 'tape', run: () => lookAtTape(tape) }]
}

async function lookAtTape(tape: IngestorConfig['tape']): Promise<readonly Finding[]> {
  const dir = await existingDir(tape.dir)
  const unwritable = await lookAtRights('tape.rights', dir, 'TAPE_DIR')
  if (unwritable !== undefined) return [unwritable]
  return [
    ...(await attempt('tape.room', () => lookAtRoom(dir, tape), ROOM_ADVICE)),
    ...(await attempt('tape.fsync', () => measureFsync(dir, tape.fsync_ms), ROOM_ADVICE)),
  ]
}

const ROOM_ADVICE = {
  expected: 'a local disk with room for the tape',
  todo: 'Free some space, or name another disk in TAPE_DIR.',
}

async function lookAtRoom(
  dir: string,
  { dir: tape_dir, max_bytes, segment_bytes }: IngestorConfig['tape'],
): Promise<readonly Finding[]> {
  const check = 'tape.room'
  const { type, bsize, bavail, ffree, files } = await statfs(dir)
  const free_bytes = bavail * bsize
  const used_bytes = await bytesIn(tape_dir)
  const room =
    `${sizeText(free_bytes)} free in ${dir}; the tape has ` +
    `${sizeText(used_bytes)} and may grow to ${sizeText(max_bytes)}.`
  const missing = max_bytes - used_bytes - free_bytes
  const least = 2 * segment_bytes
  const findings: Finding[] = []
  if (free_bytes < least) {
    const expected = `room for two segments, ${sizeText(least)}, at the very least`
    findings.push(failure(check, room, { expected, todo: ROOM_ADVICE.todo }))
  } else if (missing > 0) {
    const expected = 'a disk that holds the whole tape while Postgres is away'
    const todo =
      `Free ${sizeText(missing)}, or lower TAPE_MAX_BYTES: ` +
      'a full disk stops other programs too.'
    findings.push(warning(check, room, { expected, todo }))
  } else findings.push(fine(check, room))
  if (files > 0 && ffree < FREE_INODES_MIN) {
    const expected = `at least ${FREE_INODES_MIN}`
    findings.push(
      warning('tape.inodes', `${ffree} more files fit.`, { expected, todo: ROOM_ADVICE.todo }),
    )
  }
  return [...findings, ...kindOf(type, dir)]
}

function kindOf(type: number, dir: string): readonly Finding[] {
  const check = 'tape.file_system'
  if (MEMORY_TYPES.has(type)) {
    const expected = 'a disk: the tape has to survive a restart of the machine'
    return [failure(check, `${dir} is in memory.`, { expected, todo: ROOM_ADVICE.todo })]
  }
  const network = NETWORK_TYPES.get(type)
  if (network === undefined) return []
  const expected = 'a local disk: frames wait for every write to it'
  return [warning(check, `${dir} is on ${network}.`, { expected, todo: ROOM_ADVICE.todo })]
}

async function measureFsync(dir: string, fsync_ms: number): Promise<readonly Finding[]> {
  const check = 'tape.fsync'
  const path = join(dir, `.doctor-${process.pid}.tmp`)
  const times: number[] = []
  const bytes = Buffer.alloc(PROBE_BYTES, 0x61)
  const file = await open(path, 'wx', 0o600)
  try {
    for (let round = 0; round < PROBE_ROUNDS; round++) {
      const begin = performance.now()
      // Overwrites the same bytes, so that a small disk does not fill up.
      const { bytesWritten } = await file.write(bytes, 0, bytes.length, 0)
      if (bytesWritten < bytes.length)
        throw new Error(`The disk took ${bytesWritten} of ${bytes.length} bytes`)
      await file.sync()
      times.push(performance.now() - begin)
    }
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
  times.sort((a, b) => a - b)
  const median = times[times.length >> 1]!
  const slowest = times.at(-1)!
  const found =
    `A megabyte is on the disk after ${median.toFixed(1)} ms, the ` +
    `slowest of ${PROBE_ROUNDS} after ${slowest.toFixed(1)} ms.`
  const advice = {
    expected: `far less than the ${fsync_ms} ms between two of them (TAPE_FSYNC_MS)`,
    todo: 'Put the tape on a faster disk, or see what else keeps this one busy.',
  }
  if (median > fsync_ms) return [failure(check, found, advice)]
  if (median > FSYNC_SHARE * fsync_ms) return [warning(check, found, advice)]
  return [fine(check, found)]
}

export function workDirCheck(work_dir: string): Check {
  const check = 'work_dir.room'
  return {
    check,
    async run() {
      const dir = await existingDir(work_dir)
      const unwritable = await lookAtRights('work_dir.rights', dir, 'WORK_DIR')
      if (unwritable !== undefined) return [unwritable]
      const { bsize, bavail } = await statfs(dir)
      const found = `${sizeText(bavail * bsize)} free in ${dir}.`
      if (bavail * bsize >= WORK_BYTES_MIN) return [fine(check, found)]
      const expected = `${sizeText(WORK_BYTES_MIN)} for the files of a day while they are made`
      return [
        warning(check, found, {
          expected,
          todo: 'Free some space, or name another disk in WORK_DIR.',
        }),
      ]
    },
  }
}

async function lookAtRights(
  check: string,
  dir: string,
  variable: string,
): Promise<Finding | undefined> {
  try {
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK)
    return undefined
  } catch {
    const todo =
      `Give the directory to this user (uid ${process.getuid?.()}), ` +
      `or name another in ${variable}.`
    return failure(check, `${dir} cannot be written.`, {
      expected: 'a directory that may be written',
      todo,
    })
  }
}

/** The directory, or its nearest existing parent: the programs create what is missing. */
async function existingDir(path: string): Promise<string> {
  for (let dir = resolve(path); ; dir = dirname(dir)) {
    const found = await stat(dir).catch(() => undefined)
    if (found?.isDirectory() === true || dir === dirname(dir)) return dir
  }
}

async function bytesIn(dir: string): Promise<number> {
  const names = await readdir(dir).catch(() => [])
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(dir, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

export function sizeText(bytes: number): string {
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(1)} GiB`
  return `${(bytes / MIB).toFixed(bytes >= 10 * MIB ? 0 : 1)} MiB`
}
