/**
 * Repetition and definition levels of Parquet, which are one bit each in our files. They are read
 * one at a time from the RLE and bit-packed runs, so a large page needs no array of them.
 */

export interface LevelBits {
  /** 0 or 1. */
  next(): number
}

/** `bytes` exclude the length prefix. Source: Encodings.md of the Parquet format, RLE. */
export class PackedBits implements LevelBits {
  readonly #bytes: Uint8Array
  #at = 0
  /** Values left in the run. A run repeats one value, or has packed bits. */
  #left = 0
  #value = 0
  #packed = false
  #bit = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  next(): number {
    while (this.#left === 0) this.#nextRun()
    this.#left -= 1
    if (!this.#packed) return this.#value
    const bit = (this.#bytes[this.#at]! >> this.#bit) & 1
    this.#bit = (this.#bit + 1) & 7
    if (this.#bit === 0) this.#at += 1
    return bit
  }

  #nextRun(): void {
    let header = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#byte()
      header += (byte & 127) * 2 ** shift
      if (byte < 128) break
    }
    this.#packed = header % 2 === 1
    this.#left = this.#packed ? Math.floor(header / 2) * 8 : Math.floor(header / 2)
    if (!this.#packed) this.#value = this.#byte() & 1
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new RangeError('The levels of a page are truncated.')
    return byte
  }
}

export class ListedBits implements LevelBits {
  readonly #levels: ArrayLike<number>
  #at = 0

  constructor(levels: ArrayLike<number>) {
    this.#levels = levels
  }

  next(): number {
    return this.#levels[this.#at++]!
  }
}
