/**
 * Finds out what a tape's writer must know before its first record: where the last whole record
 * ends, what is torn behind it, and where the new segment begins.
 *
 * After an unclean end, positions jump by 4 GiB. A power failure may lose records that were already
 * read and committed elsewhere. Without the jump the new records would get positions that count as
 * committed, and would never be read.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode } from './files.ts'
import { PAYLOAD_BYTES_LIMIT, SEGMENT_HEADER_BYTES } from './format.ts'
import { SegmentCursor } from './segment-cursor.ts'
import { fileEnd, listSegments, type Segment } from './segments.ts'

export interface Recovery {
  readonly tape_id: string
  /** As found in the directory, oldest first. */
  readonly segments: readonly Segment[]
  /** Size of the last segment up to the end of its last whole record; 0 if it has none. */
  readonly last_file_bytes: number
  /** End of the last whole record of the tape. */
  readonly previous_end: number
  /** Where the new segment begins. */
  readonly first: number
  readonly clean: boolean
  /** The torn bytes after the last whole record, or those known to be missing. */
  readonly cut: { readonly position: number; readonly bytes: number } | undefined
}

const JUMP_BYTES = 2 ** 32
const BATCH_BYTES = 1024 * 1024

/**
 * The directory must be locked. Changes nothing except that it deletes the note of a clean end.
 * Reads only the last segment; reader.ts reports damage before it.
 */
export function recover(dir: string): Recovery {
  const segments = listSegments(dir)
  const known = segments.findLast(({ header }) => header !== undefined)
  const tape_id = known?.header?.tape_id ?? randomUUID()
  const closed_end = takeClosedEnd(dir)
  const last = segments.at(-1)
  if (last === undefined) {
    const nothing = { last_file_bytes: 0, previous_end: 0, first: 0, clean: true, cut: undefined }
    return { tape_id, segments, ...nothing }
  }
  const whole_end = endOfWholeRecords(last)
  const lost_end = Math.max(fileEnd(last), closed_end ?? 0)
  const is_empty = whole_end === last.first
  const clean = closed_end === whole_end
  return {
    tape_id,
    segments,
    last_file_bytes: is_empty ? 0 : SEGMENT_HEADER_BYTES + whole_end - last.first,
    previous_end: is_empty ? endBefore(segments, last) : whole_end,
    first: clean ? whole_end : lost_end + JUMP_BYTES,
    clean,
    cut: lost_end > whole_end ? { position: whole_end, bytes: lost_end - whole_end } : undefined,
  }
}

/** Leaves the note of a clean end, which the next writer deletes. */
export function leaveClosedEnd(dir: string, end: number): void {
  try {
    writeFileSync(closedPath(dir), `${end}\n`, { mode: 0o600 })
  } catch {
    // Without the note the end counts as unclean, which costs a jump of positions but no record.
  }
}

function takeClosedEnd(dir: string): number | undefined {
  try {
    const end = Number(readFileSync(closedPath(dir), 'utf8'))
    unlinkSync(closedPath(dir))
    // If the note came back after a power failure, positions would be used twice.
    syncDirectoryNow(dir)
    return Number.isSafeInteger(end) ? end : undefined
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw cause
  }
}

function syncDirectoryNow(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function closedPath(dir: string): string {
  return join(dir, 'closed')
}

/** Where the records before an empty segment end. */
function endBefore(segments: readonly Segment[], empty: Segment): number {
  const before = segments.at(-2)
  return empty.header?.previous_end ?? (before === undefined ? empty.first : fileEnd(before))
}

function endOfWholeRecords(segment: Segment): number {
  const payload_max = segment.header?.record_bytes_max ?? PAYLOAD_BYTES_LIMIT
  const cursor = new SegmentCursor(segment, segment.first, payload_max)
  try {
    for (;;) {
      if (cursor.decode(BATCH_BYTES, Infinity).length > 0) continue
      const whole_end = cursor.position
      const intact = cursor.findIntact(Infinity)
      if (intact === undefined) return whole_end
      cursor.position = intact
    }
  } finally {
    cursor.close()
  }
}
