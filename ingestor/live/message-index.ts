/**
 * Where the messages of one stream are, oldest first. There are hundreds of thousands, so they are
 * numbers in typed arrays: 24 bytes each, and at most as many again that are free.
 */

const CAPACITY_MIN = 16
/** In place of a position. */
const NOT_ON_TAPE = -1
/** Tapes that one number with the count of rows tells apart. */
const TAPES_MAX = 64

export interface RecordPlace {
  readonly tape: number
  readonly position: number
  readonly row_count: number
}

export class MessageIndex {
  #capacity = CAPACITY_MIN
  #seqs = new Float64Array(CAPACITY_MIN)
  /** Of frames in memory. */
  #frames = new Uint32Array(CAPACITY_MIN)
  #positions = new Float64Array(CAPACITY_MIN)
  /** row_count * TAPES_MAX + tape. */
  #counts = new Uint32Array(CAPACITY_MIN)
  #head = 0
  count = 0

  push(seq: number, frame: number, record: RecordPlace | undefined): void {
    if (this.count === this.#capacity) this.#resize(this.#capacity * 2)
    const slot = this.#slot(this.count++)
    this.#seqs[slot] = seq
    this.#frames[slot] = frame
    this.#positions[slot] = record?.position ?? NOT_ON_TAPE
    this.#counts[slot] = record === undefined ? 0 : record.row_count * TAPES_MAX + record.tape
  }

  /** Removes the oldest. */
  drop(count: number): void {
    this.#head = this.#slot(count)
    this.count -= count
    if (this.#capacity > CAPACITY_MIN && this.count * 4 <= this.#capacity) {
      this.#resize(this.#capacity / 2)
    }
  }

  /** `at`: from 0, the oldest, up to count - 1. */
  seq(at: number): number {
    return this.#seqs[this.#slot(at)]!
  }

  frame(at: number): number {
    return this.#frames[this.#slot(at)]!
  }

  /** Undefined: it is not on the tape. */
  record(at: number): RecordPlace | undefined {
    const slot = this.#slot(at)
    const [position, counts] = [this.#positions[slot]!, this.#counts[slot]!]
    if (position === NOT_ON_TAPE) return undefined
    return { tape: counts % TAPES_MAX, position, row_count: Math.floor(counts / TAPES_MAX) }
  }

  /** Index of the first message with a greater seq, from `low` up to `high`. */
  firstAfter(seq: number, low: number, high: number): number {
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.seq(middle) <= seq) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The capacity is a power of two. */
  #slot(at: number): number {
    return (this.#head + at) & (this.#capacity - 1)
  }

  #resize(capacity: number): void {
    this.#seqs = this.#moved(this.#seqs, new Float64Array(capacity))
    this.#frames = this.#moved(this.#frames, new Uint32Array(capacity))
    this.#positions = this.#moved(this.#positions, new Float64Array(capacity))
    this.#counts = this.#moved(this.#counts, new Uint32Array(capacity))
    this.#head = 0
    this.#capacity = capacity
  }

  #moved<Numbers extends Float64Array | Uint32Array>(from: Numbers, to: Numbers): Numbers {
    const at_end = from.subarray(this.#head, Math.min(this.#head + this.count, this.#capacity))
    to.set(at_end)
    to.set(from.subarray(0, this.count - at_end.length), at_end.length)
    return to
  }
}
