/**
 * All streams, and the memory that their messages share. When it is full, the oldest message of all
 * streams is dropped.
 */
import type { Decimals } from '#core/decimal-text.ts'
import { keyOf, type StreamName } from './channels.ts'
import { LiveStream } from './live-stream.ts'
import type { Message } from './wire.ts'

/** Memory of a message besides its bytes. */
const ENTRY_BYTES = 160

export interface StreamsOptions {
  readonly memory_bytes_max: number
  /** Messages that left memory, but whose record is remembered: about 100 bytes each. */
  readonly tape_records_max: number
  /** Of new streams. */
  readonly decimalsOf: (exchange: string, symbol: string) => Decimals
}

export class Streams {
  #floor = 0
  #gap_floor = 0
  memory_bytes = 0
  message_count = 0
  readonly #options: StreamsOptions
  readonly #streams = new Map<string, LiveStream>()
  /** The stream of each message in memory, oldest first. */
  #order: LiveStream[] = []
  #order_head = 0
  /** The stream of each remembered record, oldest first. */
  #dropped: LiveStream[] = []
  #dropped_head = 0
  readonly #dirty = new Set<LiveStream>()

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  get stream_count(): number {
    return this.#streams.size
  }

  /**
   * Everything received up to `floor`, and every gap up to `gap_floor`, is in Postgres.
   */
  settle(floor: number, gap_floor: number): void {
    this.#floor = floor
    this.#gap_floor = gap_floor
    for (const stream of this.#streams.values()) {
      const own = stream.name.channel === 'gaps' ? gap_floor : floor
      stream.floor = Math.max(stream.floor, own)
      stream.tape_floor = Math.max(stream.tape_floor, own)
    }
  }

  /** The instruments were read again. */
  renewDecimals(): void {
    for (const stream of this.#streams.values()) {
      const { exchange, symbol } = stream.name
      stream.decimals = this.#options.decimalsOf(exchange, symbol)
    }
  }

  of(name: StreamName): LiveStream {
    const key = keyOf(name)
    const known = this.#streams.get(key)
    if (known !== undefined) return known
    const decimals = this.#options.decimalsOf(name.exchange, name.symbol)
    const floor = name.channel === 'gaps' ? this.#gap_floor : this.#floor
    const stream = new LiveStream(name, decimals, floor)
    this.#streams.set(key, stream)
    return stream
  }

  append(stream: LiveStream, message: Message): void {
    this.message_count++
    this.#dirty.add(stream)
    if (!stream.append(message)) return
    this.#order.push(stream)
    this.memory_bytes += message.frame.length + ENTRY_BYTES
    while (this.memory_bytes > this.#options.memory_bytes_max) this.#dropOldest()
  }

  /** Passes all new messages to the listeners. */
  passOn(): void {
    for (const stream of this.#dirty) stream.passOn()
    this.#dirty.clear()
  }

  #noteDropped(stream: LiveStream, dropped: Message): void {
    this.memory_bytes -= dropped.frame.length + ENTRY_BYTES
    if (!stream.noteDropped(dropped)) return
    this.#dropped.push(stream)
    if (this.#dropped.length - this.#dropped_head <= this.#options.tape_records_max) return
    this.#dropped[this.#dropped_head++]!.forgetRecord()
    if (this.#dropped_head * 2 < this.#dropped.length) return
    this.#dropped = this.#dropped.slice(this.#dropped_head)
    this.#dropped_head = 0
  }

  #dropOldest(): void {
    const stream = this.#order[this.#order_head++]!
    const dropped = stream.dropOldest()
    if (dropped !== undefined) this.#noteDropped(stream, dropped)
    if (this.#order_head < 65_536 || this.#order_head * 2 < this.#order.length) return
    this.#order = this.#order.slice(this.#order_head)
    this.#order_head = 0
  }
}
