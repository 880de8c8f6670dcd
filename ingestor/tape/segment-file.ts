/** The segment that is being written: its file, its fsync, and no half record left in it. */
import type { TapeFiles } from './files.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './format.ts'
import { segmentPath } from './segments.ts'

export class SegmentFile {
  readonly path: string
  readonly first: number
  /** Position after the last byte in the file. */
  end: number
  /** Position up to which fsync has answered. */
  synced: number
  readonly #files: TapeFiles
  readonly #fd: number
  #syncing: Promise<void> | undefined
  /** Sealed, or its fsync has failed: the kernel tells of lost pages once, a second one is no proof. */
  #is_final = false

  /** Makes the file with its header, or throws and leaves no file behind. */
  constructor(dir: string, header: SegmentHeader, files: TapeFiles) {
    this.path = segmentPath(dir, header.first)
    this.first = header.first
    this.end = header.first
    this.synced = header.first
    this.#files = files
    this.#fd = files.create(this.path)
    try {
      writeWhole(files, this.#fd, encodeSegmentHeader(header), SEGMENT_HEADER_BYTES, 0)
    } catch (cause) {
      files.close(this.#fd)
      files.unlink(this.path)
      throw cause
    }
  }

  get file_bytes(): number {
    return SEGMENT_HEADER_BYTES + this.end - this.first
  }

  /**
   * Appends bytes[0, length), which are whole records. `wholeRecords(n)` says how many of the
   * first n bytes are whole records: where the disk takes only a part, the file keeps those.
   * Returns the bytes that stand in the file, and why it is not all of them.
   */
  write(
    bytes: Buffer,
    length: number,
    wholeRecords: (written_bytes: number) => number,
  ): { readonly written_bytes: number; readonly error: unknown } {
    let done = 0
    try {
      while (done < length) {
        done += this.#files.write(this.#fd, bytes, done, length - done, this.file_bytes + done)
      }
    } catch (error) {
      const written_bytes = wholeRecords(done)
      // Were this to fail too, recovery would cut what is left over, or the next write cover it.
      if (written_bytes < done) this.#truncate(this.file_bytes + written_bytes)
      this.end += written_bytes
      return { written_bytes, error }
    }
    this.end += length
    return { written_bytes: length, error: undefined }
  }

  /** Everything written before is on the disk when it resolves, unless an earlier call rejected. */
  async sync(): Promise<void> {
    while (this.#syncing !== undefined) await this.#syncing.catch(() => undefined)
    if (this.#is_final || this.synced === this.end) return
    const end = this.end
    this.#syncing = this.#files.sync(this.#fd)
    try {
      await this.#syncing
      this.synced = end
    } catch (error) {
      this.#is_final = true
      throw error
    } finally {
      this.#syncing = undefined
    }
  }

  /** The last sync; then the file is closed, whatever the disk said. */
  async seal(): Promise<void> {
    try {
      await this.sync()
    } finally {
      this.#is_final = true
      this.#files.close(this.#fd)
    }
  }

  #truncate(file_bytes: number): void {
    try {
      this.#files.truncate(this.#fd, file_bytes)
    } catch {
      // See write().
    }
  }
}

export function writeWhole(
  files: TapeFiles,
  fd: number,
  bytes: Uint8Array,
  length: number,
  file_offset: number,
): void {
  let done = 0
  while (done < length) done += files.write(fd, bytes, done, length - done, file_offset + done)
}
