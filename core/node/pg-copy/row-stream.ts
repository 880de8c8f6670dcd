/** Strips header and trailer from the chunks of a binary COPY, which may end anywhere. */
import { COPY_HEADER, COPY_SIGNATURE } from './format.ts'

export class RowStream {
  #rest: Buffer = Buffer.alloc(0)
  #is_header_read = false

  /**
   * Adds a chunk. Returns all bytes of rows that were not taken yet, undefined before the header is
   * complete. Throws if this is not a binary COPY.
   */
  add(chunk: Buffer): Buffer | undefined {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (this.#is_header_read) return this.#rest
    if (this.#rest.length < COPY_HEADER.length) return undefined
    if (!this.#rest.subarray(0, COPY_SIGNATURE.length).equals(COPY_SIGNATURE)) {
      throw new Error('The stream is not a binary COPY.')
    }
    this.#is_header_read = true
    return this.keep(this.#rest.subarray(COPY_HEADER.length))
  }

  /** The caller took all but `rest`, which begins an incomplete row. */
  keep(rest: Buffer): Buffer {
    this.#rest = rest
    return rest
  }

  /** Throws unless only the trailer is left. */
  end(): void {
    if (this.#rest.length === 2 && this.#rest.readInt16BE(0) === -1) return
    const message = `Binary COPY ended in the middle of a row, ${this.#rest.length} bytes left over.`
    throw new Error(message)
  }
}
