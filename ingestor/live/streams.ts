/**
 * All streams, and the memory that their messages share. When it is full, the oldest message of all
 * streams is dropped.
 */
import type { Decimals } from '#core/decimal-text.ts'
import { keyOf, type StreamName } from './channels.ts'
import { FrameMemory } from './frame-memory.ts'
import { LiveStream } from './live-stream.ts'
import type { Message } from './wire.ts'

export interface StreamsOptions {
  /** Of frames; a message takes about 50 bytes besides. */
  readonly memory_bytes_max: number
  /** Messages that left memory and are remembered by their record: about 50 bytes each. */
  readonly tape_records_max: number
  /** Of new streams. */
  readonly decimalsOf: (exchange: string, symbol: string) => Decimals
}

export class Streams {
  #floor = 0
  #gap_floor = 0
  message_count = 0
  readonly #options: StreamsOptions
  readonly #streams = new Map<string, LiveStream>()
  readonly #memory: FrameMemory<LiveStream>
  /** The stream of each record that is remembered, oldest first. */
  #dropped: LiveStream[] = []
  #dropped_head = 0
  readonly #dirty = new Set<LiveStream>()

  constructor(options: StreamsOptions) {
    this.#options = options
    this.#memory = new FrameMemory(options.memory_bytes_max)
  }

  get memory_bytes(): number {
    return this.#memory.used_bytes
  }

  get stream_count(): number {
    return this.#streams.size
  }

  /**
   * Everything that was received up to `floor`, and every gap up to `gap_floor`, is in Postgres.
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
    const readFrame = (number: number): Buffer => this.#memory.read(number)
    const stream = new LiveStream(name, decimals, floor, readFrame)
    this.#streams.set(key, stream)
    return stream
  }

  append(stream: LiveStream, message: Message): void {
    this.message_count++
    this.#dirty.add(stream)
    stream.append(message)
    // What is in Postgres already is only passed on.
    if (message.seq <= stream.floor) return
    const frame = this.#memory.put(message.frame, stream, (owner) => this.#drop(owner))
    stream.keep(message, frame ?? NO_FRAME)
    if (frame === undefined) this.#drop(stream)
  }

  /** Passes all new messages on to the listeners. */
  passOn(): void {
    for (const stream of this.#dirty) stream.passOn()
    this.#dirty.clear()
  }

  /** The oldest message of the stream has left memory. */
  #drop(stream: LiveStream): void {
    if (!stream.dropOldest()) return
    this.#dropped.push(stream)
    if (this.#dropped.length - this.#dropped_head <= this.#options.tape_records_max) return
    this.#dropped[this.#dropped_head++]!.forgetRecord()
    if (this.#dropped_head * 2 < this.#dropped.length) return
    this.#dropped = this.#dropped.slice(this.#dropped_head)
    this.#dropped_head = 0
  }
}

/** Of a message that is larger than the memory, and leaves it at once. */
const NO_FRAME = -1
