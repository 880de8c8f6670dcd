/**
 * Bytes that wait for one client, copied into blocks of its own. The frames themselves are parts of
 * larger buffers, which a slow client would keep whole: many times the bytes that wait for it.
 */

const BLOCK_BYTES = 16 * 1024

export class ByteQueue {
  #blocks: Buffer[] = []
  /** Bytes of the last block that are in use. */
  #used = 0
  byte_count = 0

  push(bytes: Buffer): void {
    this.byte_count += bytes.length
    for (let at = 0; at < bytes.length;) {
      let block = this.#blocks.at(-1)
      if (block === undefined || this.#used === block.length) {
        block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
        this.#blocks.push(block)
        this.#used = 0
      }
      const copied = bytes.copy(block, this.#used, at)
      this.#used += copied
      at += copied
    }
  }

  /** The oldest block; undefined if nothing waits. */
  shift(): Buffer | undefined {
    const block = this.#blocks.shift()
    if (block === undefined) return undefined
    const bytes = this.#blocks.length === 0 ? block.subarray(0, this.#used) : block
    this.byte_count -= bytes.length
    return bytes
  }

  clear(): void {
    this.#blocks = []
    this.byte_count = 0
  }
}
