/**
 * Decodes the records of one segment file, in order, from large reads, and finds the next whole
 * record after damage. reader.ts decides which segment comes next.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { micros } from '#core/time.ts'
import {
  decodeHead,
  isIntact,
  nextCandidate,
  plausibleLength,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from './format.ts'
import type { TapeRecord } from './record.ts'
import type { SegmentName } from './segments.ts'

const WINDOW_BYTES = 1024 * 1024
const NOTHING = Buffer.alloc(0)

export class SegmentCursor {
  readonly name: SegmentName
  /** Position of the next record to decode. */
  position: number
  readonly #payload_max: number
  readonly #fd: number
  /** Holds the bytes of positions [#from, #to). */
  #bytes: Buffer
  #view: DataView
  #from: number
  #to: number

  /** `window` may be another cursor's. Throws ENOENT if the segment was deleted meanwhile. */
  constructor(name: SegmentName, position: number, payload_max: number, window?: Buffer) {
    this.name = name
    this.#bytes = window ?? Buffer.allocUnsafeSlow(WINDOW_BYTES)
    this.#view = viewOf(this.#bytes)
    this.position = position
    this.#from = position
    this.#to = position
    this.#payload_max = payload_max
    this.#fd = openSync(name.path, 'r')
  }

  /** The buffer, for the next cursor to reuse once this one's records are no longer needed. */
  get window(): Buffer {
    return this.#bytes
  }

  /**
   * Returns the records from `position` on, as many as one window holds, up to about `limit_bytes`,
   * none past `end`. Empty if the next bytes are not a whole record. Payloads are slices of the
   * window, valid until the next call of any method here.
   */
  decode(limit_bytes: number, end: number): readonly TapeRecord[] {
    const records: TapeRecord[] = []
    const limit = Math.min(end, this.position + limit_bytes)
    while (this.position < limit) {
      const { position } = this
      const payload = this.#payloadAt(position, end, records.length === 0)
      if (payload === undefined) break
      const next = position + RECORD_HEADER_BYTES + payload.length
      const head = decodeHead(this.#bytes, this.#view, position - this.#from)
      records.push({
        position,
        next,
        kind: head.kind,
        exchange_code: head.exchange_code,
        connection: head.connection,
        ts_ingest: micros(head.ts_ingest),
        payload,
      })
      this.position = next
    }
    return records
  }

  /** Position of the first whole record at or after `position`, read again from the file. */
  findIntact(end: number): number | undefined {
    // Bytes that were read while the writer was writing may be stale.
    this.#to = this.#from
    let at = this.position
    while (this.#fill(at, RECORD_HEADER_BYTES, end)) {
      const candidate = nextCandidate(this.#bytes, at - this.#from, this.#to - this.#from)
      if (candidate === -1) {
        at = this.#to - RECORD_HEADER_BYTES + 1
        continue
      }
      at = this.#from + candidate
      if (this.#payloadAt(at, end, true) !== undefined) return at
      at += 1
    }
    return undefined
  }

  /** Position after the file's current last byte. */
  fileEnd(): number {
    return this.name.first + Math.max(0, fstatSync(this.#fd).size - SEGMENT_HEADER_BYTES)
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** Payload of the record at `at`; undefined if it is not whole and intact. */
  #payloadAt(at: number, end: number, may_read: boolean): Buffer | undefined {
    if (!this.#holds(at, RECORD_HEADER_BYTES, end, may_read)) return undefined
    const length = plausibleLength(this.#bytes, this.#view, at - this.#from, this.#payload_max)
    if (length === -1) return undefined
    if (!this.#holds(at, RECORD_HEADER_BYTES + length, end, may_read)) return undefined
    const offset = at - this.#from
    const payload_at = offset + RECORD_HEADER_BYTES
    const payload_end = payload_at + length
    if (!isIntact(this.#bytes, this.#view, offset, payload_end, at)) return undefined
    return this.#bytes.subarray(payload_at, payload_end)
  }

  #holds(at: number, count: number, end: number, may_read: boolean): boolean {
    // A search for whole records may have moved the window past `at`.
    const is_held = at >= this.#from && at + count <= this.#to
    return is_held || (may_read && this.#fill(at, count, end))
  }

  /** Moves the window to start at `from` and reads. False if `count` bytes are not available. */
  #fill(from: number, count: number, end: number): boolean {
    if (from >= this.#from && from + count <= this.#to) return true
    const is_inside = from >= this.#from && from < this.#to
    const kept = is_inside
      ? this.#bytes.subarray(from - this.#from, this.#to - this.#from)
      : NOTHING
    if (count > this.#bytes.length) {
      this.#bytes = Buffer.allocUnsafeSlow(count)
      this.#view = viewOf(this.#bytes)
    }
    this.#bytes.set(kept)
    this.#from = from
    this.#to = from + kept.length
    while (this.#to < end && this.#to - from < this.#bytes.length) {
      const room = Math.min(this.#bytes.length - (this.#to - from), end - this.#to)
      const file_offset = SEGMENT_HEADER_BYTES + this.#to - this.name.first
      const read_bytes = readSync(this.#fd, this.#bytes, this.#to - from, room, file_offset)
      if (read_bytes === 0) break
      this.#to += read_bytes
    }
    return from + count <= this.#to
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
