/**
 * One stream (a channel of a symbol): its newest messages, in memory and on the tape, and its
 * listeners. Messages ascend by seq.
 */
import type { Decimals } from '#core/decimal-text.ts'
import { keyOf, type StreamName } from './channels.ts'
import { MessageIndex, type RecordPlace } from './message-index.ts'
import type { Message } from './wire.ts'

/** Gets the new messages of a stream; `chunk` is all their frames. */
export interface StreamListener {
  takeNew(messages: readonly Message[], chunk: Buffer): void
}

/** What a client can follow. */
export interface Followed {
  readonly name: StreamName
  readonly key: string
  /** Seq of the newest message; 0 if there was none since the start. */
  readonly last: number
  /** Every message with a greater seq is in memory. */
  readonly floor: number
  /** Messages that are sent from now on have a greater seq. */
  readonly newest_seq: number
}

/** A message that left memory, by its place on the tape. */
export interface DroppedRecord {
  readonly seq: number
  readonly record: RecordPlace
}

export class LiveStream implements Followed {
  readonly name: StreamName
  /** Number of the stream in the memory of frames. */
  readonly id: number
  readonly key: string
  readonly listeners = new Set<StreamListener>()
  decimals: Decimals
  /** Every message with a greater seq is in memory. Those up to it are in Postgres. */
  floor: number
  /** Every message with a greater seq is in memory or on the tape. */
  tape_floor: number
  /** Seq of the newest message; 0 if there was none since the start. */
  last = 0
  readonly #readFrame: (place: number) => Buffer
  /** Not yet passed on to the listeners. */
  #fresh: Message[] = []
  readonly #index = new MessageIndex()
  /** So many of the oldest messages have left memory, and are on the tape only. */
  #dropped_count = 0

  /** `readFrame`: the frame of a message in memory. */
  constructor(
    id: number,
    name: StreamName,
    decimals: Decimals,
    floor: number,
    readFrame: (place: number) => Buffer,
  ) {
    this.id = id
    this.name = name
    this.key = keyOf(name)
    this.decimals = decimals
    this.floor = floor
    this.tape_floor = floor
    this.#readFrame = readFrame
  }

  get newest_seq(): number {
    return Math.max(this.last, this.floor)
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
    this.#index.push(seq, frame, record)
  }

  /** The oldest message has left memory. False: it is only in Postgres now. */
  dropOldest(): boolean {
    const at = this.#dropped_count++
    const seq = this.#index.seq(at)
    this.floor = Math.max(this.floor, seq)
    if (this.#index.record(at) !== undefined) return true
    this.tape_floor = Math.max(this.tape_floor, seq)
    this.#forget(this.#dropped_count)
    return false
  }

  /** The oldest message that is on the tape only is in Postgres only. */
  forgetRecord(): void {
    if (this.#dropped_count === 0) return
    this.tape_floor = Math.max(this.tape_floor, this.#index.seq(0))
    this.#forget(1)
  }

  /** Where the messages after `seq` are that left memory, at most `count_max`. */
  recordsAfter(seq: number, count_max: number): readonly DroppedRecord[] {
    const from = this.#index.firstAfter(seq, 0, this.#dropped_count)
    const count = Math.min(count_max, this.#dropped_count - from)
    return Array.from({ length: count }, (_, at) => ({
      seq: this.#index.seq(from + at),
      record: this.#index.record(from + at)!,
    }))
  }

  /** The newest message with rows that left memory, up to `seq`; null if that is not known. */
  updateUntil(seq: number): number | null {
    let at = this.#index.firstAfter(seq, 0, this.#dropped_count) - 1
    while (at >= 0 && this.#index.record(at)!.row_count === 0) at--
    return at < 0 ? null : this.#index.seq(at)
  }

  /** The messages in memory after `seq`, oldest first, at most `count_max`. */
  after(seq: number, count_max: number): readonly Message[] {
    const from = this.#index.firstAfter(seq, this.#dropped_count, this.#index.count)
    const count = Math.min(count_max, this.#index.count - from)
    return Array.from({ length: count }, (_, at) => this.#messageAt(from + at))
  }

  get newest(): Message | undefined {
    const at = this.#index.count - 1
    return at < this.#dropped_count ? undefined : this.#messageAt(at)
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
    return { seq: this.#index.seq(at), frame: this.#readFrame(this.#index.frame(at)) }
  }

  #forget(count: number): void {
    this.#index.drop(count)
    this.#dropped_count -= count
  }
}
