/**
 * Repetition and definition levels of Parquet, which are one bit each in our files: read one after
 * another out of the RLE and bit-packed runs, so that those of a large page are never an array.
 */

export interface LevelBits {
  /** 0 or 1. */
  next(): number
}

/** `bytes` without the length before them. Source: the format's Encodings.md, RLE. */
export class PackedBits implements LevelBits {
  readonly #bytes: Uint8Array
  #at = 0
  /** Values left in the run, and where its bits come from: one value, or packed. */
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
    if (byte === undefined) throw new RangeError('The levels of a page end too soon.')
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
