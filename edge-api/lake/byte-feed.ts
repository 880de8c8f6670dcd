/** Reads a stream of chunks from front to back. Skipped bytes are never held. */

const NOTHING = new Uint8Array(0)

export class ByteFeed {
  readonly #chunks: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = NOTHING

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Calls `done` with the bytes when reading ends. */
  static of(bytes: Uint8Array, done?: (bytes: Uint8Array) => void): ByteFeed {
    return new ByteFeed(once(bytes, done))
  }

  /** The next `byte_count` bytes without consuming them; fewer at the end of the feed. */
  async peek(byte_count: number): Promise<Uint8Array> {
    while (this.#chunk.byteLength < byte_count) {
      const { done, value } = await this.#chunks.next()
      if (done === true) break
      this.#chunk = this.#chunk.byteLength === 0 ? value : joined(this.#chunk, value)
    }
    return this.#chunk.subarray(0, byte_count)
  }

  /** A copy of the next bytes in its own buffer. Throws RangeError if there are fewer. */
  async take(byte_count: number): Promise<Uint8Array<ArrayBuffer>> {
    const taken = new Uint8Array(byte_count)
    let at = 0
    for await (const piece of this.pass(byte_count)) {
      taken.set(piece, at)
      at += piece.byteLength
    }
    return taken
  }

  async skip(byte_count: number): Promise<void> {
    for await (const piece of this.pass(byte_count)) void piece
  }

  /** The next bytes as a stream. Throws RangeError if there are fewer. */
  async *pass(byte_count: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = byte_count; left > 0;) {
      if (this.#chunk.byteLength === 0) {
        const { done, value } = await this.#chunks.next()
        if (done === true) throw new RangeError(`${left} bytes are missing.`)
        this.#chunk = value
      }
      const piece = this.#chunk.subarray(0, left)
      this.#chunk = this.#chunk.subarray(piece.byteLength)
      left -= piece.byteLength
      yield piece
    }
  }

  /** Ends the source stream. */
  async close(): Promise<void> {
    this.#chunk = NOTHING
    await this.#chunks.return?.()
  }
}

async function* once(
  bytes: Uint8Array,
  done?: (bytes: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield bytes
  } finally {
    done?.(bytes)
  }
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.byteLength + right.byteLength)
  both.set(left)
  both.set(right, left.byteLength)
  return both
}
