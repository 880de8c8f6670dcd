/**
 * The frames of the newest messages of all streams, in one block of memory that is used as a ring:
 * the oldest frame makes room for the newest. A message costs its bytes and a few numbers here, and
 * the garbage collector has nothing to follow, so the memory of the server is flat.
 */

/** Entries that have left before the arrays are copied. */
const LEFT_MAX = 65_536

export class FrameMemory<Owner> {
  /** The system gives pages as they are first written. */
  readonly #bytes: Buffer
  #offsets: number[] = []
  #lengths: number[] = []
  #owners: Owner[] = []
  /** Of the oldest frame in the arrays. */
  #oldest = 0
  /** Frames that were taken out of the arrays. */
  #left_count = 0
  /** Where the newest frame ends. */
  #end = 0
  used_bytes = 0

  constructor(size_bytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(size_bytes)
  }

  /**
   * Keeps a copy of the frame and returns its number; undefined if it is larger than the memory.
   * Calls `onLeft` with the owner of each frame that leaves, in the order in which they came.
   */
  put(frame: Buffer, owner: Owner, onLeft: (owner: Owner) => void): number | undefined {
    let offset = this.#roomFor(frame.length)
    while (offset === undefined && this.#oldest < this.#owners.length) {
      onLeft(this.#dropOldest())
      offset = this.#roomFor(frame.length)
    }
    if (offset === undefined) return undefined
    this.#bytes.set(frame, offset)
    this.#end = offset + frame.length
    this.used_bytes += frame.length
    this.#offsets.push(offset)
    this.#lengths.push(frame.length)
    return this.#left_count + this.#owners.push(owner) - 1
  }

  /** A copy of the frame, which must not have left. */
  read(number: number): Buffer {
    const at = number - this.#left_count
    const offset = this.#offsets[at]!
    return Buffer.from(this.#bytes.subarray(offset, offset + this.#lengths[at]!))
  }

  /** Frames are contiguous. The end never reaches the beginning of the oldest. */
  #roomFor(length: number): number | undefined {
    const size = this.#bytes.length
    const begin = this.#offsets[this.#oldest]
    if (begin === undefined) return length <= size ? 0 : undefined
    if (this.#end < begin) return this.#end + length < begin ? this.#end : undefined
    if (this.#end + length <= size) return this.#end
    return length < begin ? 0 : undefined
  }

  #dropOldest(): Owner {
    const owner = this.#owners[this.#oldest]!
    this.used_bytes -= this.#lengths[this.#oldest]!
    this.#oldest++
    if (this.#oldest > LEFT_MAX && this.#oldest * 2 > this.#owners.length) {
      this.#offsets = this.#offsets.slice(this.#oldest)
      this.#lengths = this.#lengths.slice(this.#oldest)
      this.#owners = this.#owners.slice(this.#oldest)
      this.#left_count += this.#oldest
      this.#oldest = 0
    }
    return owner
  }
}
