/**
 * Reads a tape in order from a position on, across all its segments, in the writer's thread,
 * another thread or another process. Damage is always reported, and whole records behind it are
 * read. The follower interprets the records.
 */
import { OperatorError } from '#core/errors.ts'
import { errorCode } from './files.ts'
import { PAYLOAD_BYTES_LIMIT, SEGMENT_HEADER_BYTES } from './format.ts'
import type { TapeRecord } from './record.ts'
import { SegmentCursor } from './segment-cursor.ts'
import {
  fileEnd,
  listSegmentNames,
  readSegment,
  requireSegments,
  type Segment,
  type SegmentName,
} from './segments.ts'

/** A range of positions whose records can no longer be read. */
export interface Damage {
  readonly from: number
  readonly to: number
  /** corrupt: the bytes exist but are not records. missing: the bytes do not exist. */
  readonly reason: 'corrupt' | 'missing'
  /** The file where it begins. */
  readonly path: string
}

export interface TapeBatch {
  /** Comes before the first record. */
  readonly damage: Damage | undefined
  /** Payloads are slices of the reader's buffer, valid until its next call. */
  readonly records: readonly TapeRecord[]
}

export interface TapeReader {
  readonly tape_id: string
  /** Where the next batch begins. Equals the writer's `end` once everything is read. */
  readonly position: number
  /**
   * Returns the next records, about `limit_bytes` of them and at least one if there is one, none at
   * or past `end`. Without records and without damage the reader has caught up.
   *
   * Pass the writer's `end` if you know it: everything before it is whole, or damaged. Without it,
   * an incomplete record at the very end counts as still being written.
   */
  readBatch(limit_bytes?: number, end?: number): TapeBatch
  /** Bytes after `position` in its segment: a torn tail, if the tape has no writer. */
  tornBytes(): number
  close(): void
}

const BATCH_BYTES = 1024 * 1024

/**
 * Throws OperatorError `tape_missing` if there is no tape, and `tape_position_beyond_end` if the
 * position was never written. A position before the oldest segment reads as damage (missing).
 */
export function openReader(dir: string, from_position: number | 'oldest'): TapeReader {
  const segments = requireSegments(dir)
  const oldest = segments[0]
  const tape_id = tapeIdOf(dir, segments)
  const from = from_position === 'oldest' ? oldest.first : from_position
  const start = segments.findLast(({ first }) => first <= from) ?? oldest
  if (start === segments.at(-1) && from > fileEnd(start)) {
    throw new OperatorError(
      'tape_position_beyond_end',
      `Position ${from} is requested, but the tape in ${dir} ends at ${fileEnd(start)}.`,
      { hint: 'The directory holds another tape, or an older copy. Put the right one back.' },
    )
  }
  return new Reader(dir, tape_id, start, from)
}

class Reader implements TapeReader {
  readonly tape_id: string
  readonly #dir: string
  #cursor: SegmentCursor
  #damage: Damage | undefined

  constructor(dir: string, tape_id: string, start: Segment, from: number) {
    this.tape_id = tape_id
    this.#dir = dir
    this.#cursor = openCursor(start, Math.max(from, start.first))
    if (from < start.first) this.#note(from, previousEnd(start), 'missing', start)
  }

  get position(): number {
    return this.#cursor.position
  }

  readBatch(limit_bytes = BATCH_BYTES, end = Infinity): TapeBatch {
    for (;;) {
      const records = this.#cursor.decode(limit_bytes, end)
      if (records.length > 0 || this.#damage !== undefined || !this.#advance(end)) {
        const damage = this.#damage
        this.#damage = undefined
        return { damage, records }
      }
    }
  }

  tornBytes(): number {
    return Math.max(0, this.#cursor.fileEnd() - this.position)
  }

  close(): void {
    this.#cursor.close()
  }

  /** Skips bytes that are not a record, or enters the next segment. False: caught up. */
  #advance(end: number): boolean {
    if (this.position >= end) return false
    // List segments before reading the file again: if a next one exists, this file is complete.
    const next = this.#nextSegment()
    let intact = this.#cursor.findIntact(end)
    // The writer may have been writing the record at the position while it was read. Now that a
    // later record is whole, this one is too, unless it is damaged.
    if (intact !== undefined && intact > this.position) intact = this.#cursor.findIntact(end)
    if (intact !== undefined) {
      this.#skipTo(intact)
      return true
    }
    if (next !== undefined) return this.#enter(next)
    if (end === Infinity) return false
    this.#skipTo(end)
    return true
  }

  #enter(next: Segment): boolean {
    const file_end = Math.min(this.#cursor.fileEnd(), next.first)
    this.#skipTo(Math.max(this.position, file_end, previousEnd(next)))
    let cursor: SegmentCursor
    try {
      cursor = openCursor(next, next.first, this.#cursor.window)
    } catch (cause) {
      // The segment was deleted after it was listed. The next round finds the one after it.
      if (errorCode(cause) === 'ENOENT') return true
      throw cause
    }
    this.#cursor.close()
    this.#cursor = cursor
    return true
  }

  #skipTo(position: number): void {
    const reason = this.#cursor.fileEnd() > this.position ? 'corrupt' : 'missing'
    this.#note(this.position, position, reason, this.#cursor.name)
    this.#cursor.position = position
  }

  #note(from: number, to: number, reason: Damage['reason'], { path }: SegmentName): void {
    if (to > from) this.#damage = { from, to, reason, path }
  }

  #nextSegment(): Segment | undefined {
    for (const name of listSegmentNames(this.#dir)) {
      if (name.first <= this.#cursor.name.first) continue
      const segment = readSegment(name)
      // A file without a whole header is being created right now.
      if (segment !== undefined && segment.file_bytes >= SEGMENT_HEADER_BYTES) return segment
    }
    return undefined
  }
}

function openCursor(segment: Segment, position: number, window?: Buffer): SegmentCursor {
  const payload_max = segment.header?.record_bytes_max ?? PAYLOAD_BYTES_LIMIT
  return new SegmentCursor(segment, position, payload_max, window)
}

/** Where the records before this segment ended, if its header can be read. */
function previousEnd(segment: Segment): number {
  return Math.min(segment.header?.previous_end ?? segment.first, segment.first)
}

function tapeIdOf(dir: string, segments: readonly Segment[]): string {
  const ids = new Set(segments.flatMap(({ header }) => header?.tape_id ?? []))
  if (ids.size > 1) {
    throw new OperatorError('tape_mixed', `${dir} holds segments of ${ids.size} tapes.`, {
      hint: 'Give each tape a separate directory. The header of a segment holds the id of its tape.',
    })
  }
  return [...ids][0] ?? ''
}
