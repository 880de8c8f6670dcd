/**
 * One stream (a channel of a symbol): its newest messages in memory, and who follows it. Messages
 * ascend by seq.
 */
import type { Decimals } from '#core/decimal-text.ts'
import { keyOf, type StreamName } from './channels.ts'
import type { Message } from './wire.ts'

/** Gets the new messages of a stream; `chunk` is all their frames. */
export interface Follower {
  takeNew(messages: readonly Message[], chunk: Buffer): void
}

export class LiveStream {
  readonly name: StreamName
  readonly key: string
  readonly followers = new Set<Follower>()
  decimals: Decimals
  /** Every message with a greater seq is in memory. Those up to it are in Postgres. */
  floor: number
  /** Seq of the newest message; 0 if there was none since the start. */
  last = 0
  /** Not yet passed on to the followers. */
  #fresh: Message[] = []
  #messages: Message[] = []
  /** Messages before this index were dropped. */
  #head = 0

  constructor(name: StreamName, decimals: Decimals, floor: number) {
    this.name = name
    this.key = keyOf(name)
    this.decimals = decimals
    this.floor = floor
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

  /** The messages in memory after `seq`, oldest first, at most `count_max`. */
  after(seq: number, count_max: number): readonly Message[] {
    let low = this.#head
    let high = this.#messages.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#messages[middle]!.seq <= seq) low = middle + 1
      else high = middle
    }
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
    if (this.followers.size === 0) return fresh.length
    const frames = fresh.map(({ frame }) => frame)
    const chunk = frames.length === 1 ? frames[0]! : Buffer.concat(frames)
    for (const follower of this.followers) follower.takeNew(fresh, chunk)
    return fresh.length
  }
}

const NO_MESSAGE: Message = { seq: 0, frame: Buffer.alloc(0) }
