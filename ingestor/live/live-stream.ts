/**
 * One stream (a channel of a symbol): its newest messages in memory, and who follows it. Messages
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
  /** Every message with a greater seq is in memory. Those up to it are in Postgres. */
  floor: number
  /** Every message with a greater seq is in memory, or in `records`. */
  tape_floor: number
  /** Where the messages that left memory are on the tape, oldest first. */
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

  /** The seq of what was received at `stamp`: the stamp, unless one was as great already. */
  seqAt(stamp: number): number {
    return Math.max(stamp, this.last + 1)
  }

  /** True if it is kept in memory. */
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

  /** Remembers where a message is that left memory. False: it is only in Postgres now. */
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

  /** Forgets the oldest of them. */
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

  /** Where the messages after `seq` are that left memory, at most `count_max`. */
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
