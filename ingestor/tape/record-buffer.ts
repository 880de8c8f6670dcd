/** Whole records that wait to be written to the active segment with one write. */
import { encodeRecord, RECORD_HEADER_BYTES, type RecordHead } from './format.ts'
import type { SegmentFile } from './segment-file.ts'

export class RecordBuffer {
  readonly #usual_bytes: number
  #bytes!: Buffer
  #view!: DataView
  #used_bytes = 0

  constructor(usual_bytes: number) {
    this.#usual_bytes = usual_bytes
    this.#allocate(usual_bytes)
  }

  get used_bytes(): number {
    return this.#used_bytes
  }

  hasRoomFor(size: number): boolean {
    return this.#used_bytes + size <= this.#bytes.length
  }

  /** Adds a record, for which there must be room. `position` is its position on the tape. */
  add(position: number, head: RecordHead, payload: Uint8Array): void {
    const at = this.#used_bytes
    this.#used_bytes = encodeRecord(this.#bytes, this.#view, at, position, head, payload)
  }

  /** Writes all of it. Returns the error if a part was not written; that part stays buffered. */
  writeTo(segment: SegmentFile): unknown {
    const whole = (bytes: number): number => this.#wholeRecords(bytes)
    const { written_bytes, error } = segment.write(this.#bytes, this.#used_bytes, whole)
    this.#bytes.copyWithin(0, written_bytes, this.#used_bytes)
    this.#used_bytes -= written_bytes
    return error
  }

  /** An empty buffer grows until it has room for a record of this size. */
  growFor(size: number): void {
    if (this.#used_bytes === 0 && size > this.#bytes.length) this.#allocate(size)
  }

  /** An empty buffer that has grown returns to its usual size. */
  shrink(): void {
    if (this.#used_bytes === 0 && this.#bytes.length > this.#usual_bytes) {
      this.#allocate(this.#usual_bytes)
    }
  }

  /** Bytes of the whole records within the first `limit_bytes`. */
  #wholeRecords(limit_bytes: number): number {
    for (let at = 0; ;) {
      if (at + RECORD_HEADER_BYTES > this.#used_bytes) return at
      const end = at + RECORD_HEADER_BYTES + this.#view.getUint32(at + 4, true)
      if (end > limit_bytes) return at
      at = end
    }
  }

  #allocate(bytes: number): void {
    this.#bytes = Buffer.allocUnsafeSlow(bytes)
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength)
  }
}
