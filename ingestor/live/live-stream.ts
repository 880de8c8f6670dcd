/**
 * One stream (a channel of a symbol): its newest messages in memory, and its listeners. Messages
 * ascend by seq.
 */
import type { Decimals } from '#core/decimal-text.ts'
import { keyOf, type StreamName } from './channels.ts'
import type { Message, RecordPlace } from './wire.ts'

/** Gets the new messages of a stream; `chunk` is all their frames. */
export interface StreamListener {
  takeNew(messages: readonly Message[], chunk: Buffer): void
}

export class LiveStream {
  readonly name: StreamName
  readonly key: string
  readonly listeners = new Set<StreamListener>()
  decimals: Decimals
  /** Messages with a greater seq are in memory; the others are in Postgres. */
  floor: number
  /** Messages with a greater seq are in memory or in `records`. */
  tape_floor: number
  /** The places on the tape of messages that left memory, oldest first. */
  #records: DroppedRecord[] = []
  #records_head = 0
  /** Seq of the newest message; 0 if there was none since the start. */
  last = 0
  /** Not yet passed on to the listeners. */
  #fresh: Message[] = []
  #messages: Message[] = []
  /** Messages before this index were dropped. */
  #head = 0

  constructor(name: StreamName, decimals: Decimals, floor: number) {
    this.name = name
    this.key = keyOf(name)
    this.decimals = decimals
    this.floor = floor
    this.tape_floor = floor
  }

  /**
   * The seq of a message received at `stamp`: the stamp, or one more than the last seq if that is
   * greater.
   */
  seqAt(stamp: number): number {
    return Math.max(stamp, this.last + 1)
  }

  /** Returns true if it keeps the message in memory. */
  append(message: Message): boolean {
    this.last = message.seq
    this.#fresh.push(message)
    if (message.seq <= this.floor) return false
    this.#messages.push(message)
    return true
  }

  /** Drops the oldest message from memory and returns it. */
  dropOldest(): Message | undefined {
    const oldest = this.#messages[this.#head]
    if (oldest === undefined) return undefined
    this.floor = Math.max(this.floor, oldest.seq)
    this.#messages[this.#head++] = NO_MESSAGE
    if (this.#head > 1_024 && this.#head * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    }
    return oldest
  }

  /** Remembers the place of a message that left memory. False: it is only in Postgres now. */
  noteDropped({ seq, record }: Message): boolean {
    if (record === undefined) {
      this.tape_floor = seq
      this.#records = []
      this.#records_head = 0
      return false
    }
    this.#records.push({ seq, record })
    return true
  }

  /** Forgets the oldest of these places. */
  forgetRecord(): void {
    const oldest = this.#records[this.#records_head]
    if (oldest === undefined) return
    this.tape_floor = Math.max(this.tape_floor, oldest.seq)
    this.#records_head++
    if (this.#records_head > 1_024 && this.#records_head * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#records_head)
      this.#records_head = 0
    }
  }

  /** The places of messages after `seq` that left memory, at most `count_max`. */
  recordsAfter(seq: number, count_max: number): readonly DroppedRecord[] {
    const from = firstAfter(this.#records, this.#records_head, seq)
    return this.#records.slice(from, from + count_max)
  }

  /** The messages in memory after `seq`, oldest first, at most `count_max`. */
  after(seq: number, count_max: number): readonly Message[] {
    const low = firstAfter(this.#messages, this.#head, seq)
    return this.#messages.slice(low, low + count_max)
  }

  get newest(): Message | undefined {
    return this.#messages.length > this.#head ? this.#messages.at(-1) : undefined
  }

  get has_fresh(): boolean {
    return this.#fresh.length > 0
  }

  /** Passes the new messages on. Returns how many there were. */
  passOn(): number {
    const fresh = this.#fresh
    if (fresh.length === 0) return 0
    this.#fresh = []
    if (this.listeners.size === 0) return fresh.length
    const frames = fresh.map(({ frame }) => frame)
    const chunk = frames.length === 1 ? frames[0]! : Buffer.concat(frames)
    for (const listener of this.listeners) listener.takeNew(fresh, chunk)
    return fresh.length
  }
}

const NO_MESSAGE: Message = { seq: 0, frame: Buffer.alloc(0) }

export interface DroppedRecord {
  readonly seq: number
  readonly record: RecordPlace
}

/** Index of the first item with a greater seq. */
function firstAfter(items: readonly { readonly seq: number }[], from: number, seq: number): number {
  let low = from
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (items[middle]!.seq <= seq) low = middle + 1
    else high = middle
  }
  return low
}
