/**
 * The frames of the newest messages of all streams, in one block of memory that is used as a ring:
 * the oldest frame makes room for the newest. A frame has its owner and its length before it, so
 * nothing else grows with the messages, and the garbage collector has nothing to follow.
 */

/** Owner and length, 32 bits each, before each frame. */
const HEAD_BYTES = 8
/** Frames begin at multiples of it, so that 32 bits can name the place of each. */
export const UNIT_BYTES = 8

export class FrameMemory {
  /** The system gives pages as they are first written. */
  readonly #bytes: Buffer
  /** Where the oldest frame begins, and where the newest ends. */
  #oldest = 0
  #end = 0
  /** Where the frames end that come before those at the beginning of the block. */
  #wrapped_at: number | undefined
  #count = 0
  /** Bytes of the frames that are kept. */
  used_bytes = 0

  constructor(size_bytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(size_bytes)
  }

  /**
   * Keeps a copy of the frame and returns its place [UNIT_BYTES]; undefined if it is larger than
   * the memory. `owner` has 32 bits. Calls `onLeft` with the owner of each frame that leaves, in
   * the order in which they came.
   */
  put(frame: Buffer, owner: number, onLeft: (owner: number) => void): number | undefined {
    const needed = neededBytes(frame.length)
    let at = this.#roomFor(needed)
    while (at === undefined && this.#count > 0) {
      onLeft(this.#dropOldest())
      at = this.#roomFor(needed)
    }
    if (at === undefined) return undefined
    if (at < this.#end) this.#wrapped_at = this.#end
    this.#bytes.writeUInt32LE(owner, at)
    this.#bytes.writeUInt32LE(frame.length, at + 4)
    this.#bytes.set(frame, at + HEAD_BYTES)
    this.#end = at + needed
    this.#count++
    this.used_bytes += frame.length
    return at / UNIT_BYTES
  }

  /** A copy of the frame at this place, which must not have left. */
  read(place: number): Buffer {
    const at = place * UNIT_BYTES
    const begin = at + HEAD_BYTES
    return Buffer.from(this.#bytes.subarray(begin, begin + this.#bytes.readUInt32LE(at + 4)))
  }

  #roomFor(needed: number): number | undefined {
    const size = this.#bytes.length
    if (this.#count === 0) {
      this.#oldest = 0
      this.#end = 0
      this.#wrapped_at = undefined
      return needed <= size ? 0 : undefined
    }
    const has_room = this.#end + needed <= (this.#wrapped_at === undefined ? size : this.#oldest)
    if (has_room) return this.#end
    return this.#wrapped_at === undefined && needed <= this.#oldest ? 0 : undefined
  }

  #dropOldest(): number {
    const owner = this.#bytes.readUInt32LE(this.#oldest)
    const length = this.#bytes.readUInt32LE(this.#oldest + 4)
    this.used_bytes -= length
    this.#count--
    this.#oldest += neededBytes(length)
    if (this.#oldest === this.#wrapped_at) {
      this.#oldest = 0
      this.#wrapped_at = undefined
    }
    return owner
  }
}

function neededBytes(length: number): number {
  return Math.ceil((HEAD_BYTES + length) / UNIT_BYTES) * UNIT_BYTES
}
