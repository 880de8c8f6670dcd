/** Reads single records of a tape by their positions, without what lies between them. */
import { closeSync, openSync, readSync } from 'node:fs'
import { micros } from '#core/time.ts'
import {
  decodeHead,
  isIntact,
  PAYLOAD_BYTES_LIMIT,
  plausibleLength,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from './format.ts'
import type { TapeRecord } from './record.ts'
import { listSegmentNames, type SegmentName } from './segments.ts'

/** More than most records have: a record and those right after it are one read. */
const WINDOW_BYTES = 8 * 1024

export class RecordPicker {
  readonly #segments: readonly SegmentName[]
  #open: { readonly name: SegmentName; readonly fd: number } | undefined
  #bytes = Buffer.allocUnsafe(WINDOW_BYTES)
  /** The window holds the bytes of positions [#from, #to). */
  #from = 0
  #to = 0

  constructor(dir: string) {
    this.#segments = listSegmentNames(dir)
  }

  /**
   * The record that begins at the position; undefined if there is no whole one. Its payload is
   * valid until the next call. Throws ENOENT if its segment was deleted.
   */
  read(position: number): TapeRecord | undefined {
    if (!this.#load(position, RECORD_HEADER_BYTES)) return undefined
    const length = plausibleLength(
      this.#bytes,
      viewOf(this.#bytes),
      position - this.#from,
      PAYLOAD_BYTES_LIMIT,
    )
    if (length === -1 || !this.#load(position, RECORD_HEADER_BYTES + length)) return undefined
    const offset = position - this.#from
    const end = offset + RECORD_HEADER_BYTES + length
    const view = viewOf(this.#bytes)
    const payload = this.#bytes.subarray(offset + RECORD_HEADER_BYTES, end)
    if (!isIntact(this.#bytes, view, offset, end, position)) return undefined
    const head = decodeHead(this.#bytes, view, offset)
    return {
      position,
      next: this.#from + end,
      kind: head.kind,
      exchange_code: head.exchange_code,
      connection: head.connection,
      ts_ingest: micros(head.ts_ingest),
      payload,
    }
  }

  close(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd)
    this.#open = undefined
  }

  /** False if the file does not have so many bytes there. */
  #load(position: number, count: number): boolean {
    const segment = this.#segments.findLast(({ first }) => first <= position)
    if (segment === undefined) return false
    if (this.#open?.name !== segment) {
      this.close()
      this.#open = { name: segment, fd: openSync(segment.path, 'r') }
      this.#to = this.#from
    }
    if (position >= this.#from && position + count <= this.#to) return true
    if (count > this.#bytes.length) this.#bytes = Buffer.allocUnsafe(count)
    const at = SEGMENT_HEADER_BYTES + position - segment.first
    this.#from = position
    this.#to = position
    while (this.#to - position < count) {
      const held = this.#to - position
      const read_bytes = readSync(
        this.#open.fd,
        this.#bytes,
        held,
        this.#bytes.length - held,
        at + held,
      )
      if (read_bytes === 0) return false
      this.#to += read_bytes
    }
    return true
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
