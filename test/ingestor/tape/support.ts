/** A small private tape for a test, copies as after a crash, and a seeded random. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import { nodeFiles, type TapeFiles } from '../../../ingestor/tape/files.ts'
import { openReader, type Damage } from '../../../ingestor/tape/reader.ts'
import type { RecordKind } from '../../../ingestor/tape/record.ts'
import type { Tape, TapeOptions } from '../../../ingestor/tape/tape.ts'
import { openTape } from '../../../ingestor/tape/writer.ts'
import { atFileEnd } from '../../support/file-end.ts'

/** What was appended, or read back. */
export interface Line {
  readonly position: number
  readonly next: number
  readonly kind: RecordKind
  readonly exchange_code: number
  readonly connection: number
  readonly ts_ingest: number
  /** In base64. */
  readonly payload: string
}

export interface Contents {
  readonly lines: readonly Line[]
  readonly damage: readonly Damage[]
  readonly position: number
}

/** Real files without waiting for the disk, because a kill does not depend on it. */
export const UNSYNCED: TapeFiles = {
  ...nodeFiles,
  sync: async () => {},
  syncDirectory: async () => {},
}

export const SMALL: Omit<TapeOptions, 'dir'> = {
  max_bytes: 24 * 1024,
  segment_bytes: 2_048,
  record_bytes_max: 300,
  buffer_bytes: 512,
  keep_s: 0,
  fsync_ms: 3_600_000,
  log: silentLogger,
  files: UNSYNCED,
}

/** In memory if possible, because thousands of small files are created and deleted. */
const FOLDERS = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** A folder that is deleted when the test file is done. */
export function createFolder(parent = FOLDERS): string {
  const dir = mkdtempSync(join(parent, 'booktape-tape-'))
  atFileEnd(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export function openSmall(dir: string, changes: Partial<TapeOptions> = {}): Tape {
  return openTape({ ...SMALL, ...changes, dir })
}

export function appendText(tape: Tape, text: string, kind: RecordKind = 'frame'): number | string {
  return tape.append(kind, 1, 7, micros(1_700_000_000_000_001), Buffer.from(text))
}

export function readAll(dir: string, from: number | 'oldest' = 'oldest', end = Infinity): Contents {
  const lines: Line[] = []
  const damage: Damage[] = []
  const reader = openReader(dir, from)
  try {
    for (;;) {
      const batch = reader.readBatch(1_000, end)
      if (batch.damage !== undefined) damage.push(batch.damage)
      for (const { payload, ...rest } of batch.records) {
        lines.push({ ...rest, payload: payload.toString('base64') })
      }
      if (batch.records.length === 0 && batch.damage === undefined) {
        return { lines, damage, position: reader.position }
      }
    }
  } finally {
    reader.close()
  }
}

export function textsOf({ lines }: Contents): readonly string[] {
  return lines.map(({ payload }) => Buffer.from(payload, 'base64').toString())
}

/** The files as after a kill -9 now; the lock stays with the running writer. */
export function copyOf(dir: string, to: string): string {
  rmSync(to, { recursive: true, force: true })
  cpSync(dir, to, { recursive: true, filter: (path) => !path.endsWith('lock') })
  return to
}

export function segmentFiles(dir: string): readonly string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.tape'))
    .toSorted()
    .map((name) => join(dir, name))
}

/** Bytes of all files that count against max_bytes. */
export function diskBytes(dir: string): number {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.tape') || name === 'reserve')
    .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)
}

/** mulberry32: numbers from 0 to 1 that a seed determines. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
