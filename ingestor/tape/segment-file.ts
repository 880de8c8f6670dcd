/** The segment that is being written: its file and its fsync. Never leaves half a record. */
import type { TapeFiles } from './files.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './format.ts'
import { segmentPath } from './segments.ts'

export class SegmentFile {
  readonly path: string
  readonly first: number
  /** Position after the last byte in the file. */
  end: number
  /** Position up to which fsync has succeeded. */
  synced: number
  readonly #files: TapeFiles
  readonly #fd: number
  #syncing: Promise<void> | undefined
  /**
   * Sealed, or an fsync failed. The kernel reports lost pages once; a second fsync proves nothing.
   */
  #is_final = false

  /** Creates the file with its header, or throws and leaves no file behind. */
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
   * Appends bytes[0, length), which are whole records. `wholeRecords(n)` returns how many of the
   * first n bytes are whole records. If the disk accepts only a part, the file keeps those. Returns
   * how many bytes the file got, and the error if that is not all.
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
      // If this fails too, the next write overwrites the rest, or recovery cuts it off.
      if (written_bytes < done) this.#truncate(this.file_bytes + written_bytes)
      this.end += written_bytes
      return { written_bytes, error }
    }
    this.end += length
    return { written_bytes: length, error: undefined }
  }

  /** Resolves once everything written before is on disk, unless an earlier call rejected. */
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

  /** Syncs a last time and closes the file, even if the sync fails. */
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
