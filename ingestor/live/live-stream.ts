/**
 * One stream (a channel of a symbol): its newest messages, in memory and on the tape, and its
 * listeners. Messages ascend by seq.
 */
import type { Decimals } from '#core/decimal-text.ts'
import { keyOf, type StreamName } from './channels.ts'
import type { Message, RecordPlace } from './wire.ts'

/** Gets the new messages of a stream; `chunk` is all their frames. */
export interface StreamListener {
  takeNew(messages: readonly Message[], chunk: Buffer): void
}

/** A message that left memory, by its place on the tape. */
export interface DroppedRecord {
  readonly seq: number
  readonly record: RecordPlace
}

/** In place of a position. */
const NOT_ON_TAPE = -1
/** Tapes that one number with the count of rows tells apart. */
const TAPES_MAX = 64
/** Messages that are forgotten before the arrays are copied. */
const FORGOTTEN_MAX = 1_024

export class LiveStream {
  readonly name: StreamName
  readonly key: string
  readonly listeners = new Set<StreamListener>()
  decimals: Decimals
  /** Every message with a greater seq is in memory. Those up to it are in Postgres. */
  floor: number
  /** Every message with a greater seq is in memory or on the tape. */
  tape_floor: number
  /** Seq of the newest message; 0 if there was none since the start. */
  last = 0
  readonly #readFrame: (number: number) => Buffer
  /** Not yet passed on to the listeners. */
  #fresh: Message[] = []
  // Numbers in arrays instead of an object per message: there are hundreds of thousands.
  #seqs: number[] = []
  /** Of frames in memory. */
  #frames: number[] = []
  /** On the tape. */
  #positions: number[] = []
  /** row_count * TAPES_MAX + tape. */
  #counts: number[] = []
  /** Messages before this index are forgotten; those up to #kept are on the tape only. */
  #known = 0
  /** Messages from this index on are in memory. */
  #kept = 0

  /** `readFrame`: the frame of a message in memory. */
  constructor(
    name: StreamName,
    decimals: Decimals,
    floor: number,
    readFrame: (number: number) => Buffer,
  ) {
    this.name = name
    this.key = keyOf(name)
    this.decimals = decimals
    this.floor = floor
    this.tape_floor = floor
    this.#readFrame = readFrame
  }

  /** The seq of what was received at `stamp`: the stamp, unless one was as great already. */
  seqAt(stamp: number): number {
    return Math.max(stamp, this.last + 1)
  }

  /** A new message, to be passed on. */
  append(message: Message): void {
    this.last = message.seq
    this.#fresh.push(message)
  }

  /** The frame of the message that was appended last is in memory. */
  keep({ seq, record }: Message, frame: number): void {
    this.#seqs.push(seq)
    this.#frames.push(frame)
    this.#positions.push(record?.position ?? NOT_ON_TAPE)
    this.#counts.push(record === undefined ? 0 : record.row_count * TAPES_MAX + record.tape)
  }

  /** The oldest message has left memory. False: it is only in Postgres now. */
  dropOldest(): boolean {
    const at = this.#kept++
    const seq = this.#seqs[at]!
    this.floor = Math.max(this.floor, seq)
    if (this.#positions[at] !== NOT_ON_TAPE) return true
    this.tape_floor = Math.max(this.tape_floor, seq)
    this.#forgetUntil(this.#kept)
    return false
  }

  /** The oldest message that is on the tape only is in Postgres only. */
  forgetRecord(): void {
    if (this.#known === this.#kept) return
    this.tape_floor = Math.max(this.tape_floor, this.#seqs[this.#known]!)
    this.#forgetUntil(this.#known + 1)
  }

  /** Where the messages after `seq` are that left memory, at most `count_max`. */
  recordsAfter(seq: number, count_max: number): readonly DroppedRecord[] {
    const from = this.#firstAfter(seq, this.#known, this.#kept)
    const count = Math.min(count_max, this.#kept - from)
    return Array.from({ length: count }, (_, index) => {
      const at = from + index
      const [position, counts] = [this.#positions[at]!, this.#counts[at]!]
      const record = {
        tape: counts % TAPES_MAX,
        position,
        row_count: Math.floor(counts / TAPES_MAX),
      }
      return { seq: this.#seqs[at]!, record }
    })
  }

  /** The messages in memory after `seq`, oldest first, at most `count_max`. */
  after(seq: number, count_max: number): readonly Message[] {
    const from = this.#firstAfter(seq, this.#kept, this.#seqs.length)
    const count = Math.min(count_max, this.#seqs.length - from)
    return Array.from({ length: count }, (_, index) => this.#messageAt(from + index))
  }

  get newest(): Message | undefined {
    const at = this.#seqs.length - 1
    return at < this.#kept ? undefined : this.#messageAt(at)
  }

  /** Passes the new messages on to the listeners. */
  passOn(): void {
    const fresh = this.#fresh
    if (fresh.length === 0) return
    this.#fresh = []
    if (this.listeners.size === 0) return
    const frames = fresh.map(({ frame }) => frame)
    const chunk = frames.length === 1 ? frames[0]! : Buffer.concat(frames)
    for (const listener of this.listeners) listener.takeNew(fresh, chunk)
  }

  #messageAt(at: number): Message {
    return { seq: this.#seqs[at]!, frame: this.#readFrame(this.#frames[at]!) }
  }

  #forgetUntil(index: number): void {
    this.#known = index
    if (this.#known <= FORGOTTEN_MAX || this.#known * 2 <= this.#seqs.length) return
    this.#seqs = this.#seqs.slice(this.#known)
    this.#frames = this.#frames.slice(this.#known)
    this.#positions = this.#positions.slice(this.#known)
    this.#counts = this.#counts.slice(this.#known)
    this.#kept -= this.#known
    this.#known = 0
  }

  /** Index of the first message with a greater seq, from `low` up to `high`. */
  #firstAfter(seq: number, low: number, high: number): number {
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#seqs[middle]! <= seq) low = middle + 1
      else high = middle
    }
    return low
  }
}
