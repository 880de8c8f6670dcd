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
  /** Of frames; a message takes about 50 bytes besides, with the free ones of its index. */
  readonly memory_bytes_max: number
  /** Messages that left memory and are remembered by their record: about 50 bytes each. */
  readonly tape_records_max: number
  /** Of new streams. */
  readonly decimalsOf: (exchange: string, symbol: string) => Decimals
}

/** The seqs up to which everything is in Postgres: of rows, gaps and signals. */
export interface Floors {
  readonly rows: number
  readonly gaps: number
  readonly signals: number
}

export class Streams {
  #floors: Floors = { rows: 0, gaps: 0, signals: 0 }
  message_count = 0
  readonly #options: StreamsOptions
  readonly #streams = new Map<string, LiveStream>()
  readonly #by_id: LiveStream[] = []
  readonly #memory: FrameMemory
  /** Ids of the streams of the records that are remembered: a ring. */
  readonly #dropped: Uint32Array
  #dropped_head = 0
  #dropped_count = 0
  readonly #dirty = new Set<LiveStream>()

  constructor(options: StreamsOptions) {
    this.#options = options
    this.#memory = new FrameMemory(options.memory_bytes_max)
    this.#dropped = new Uint32Array(options.tape_records_max + 1)
  }

  get memory_bytes(): number {
    return this.#memory.used_bytes
  }

  get stream_count(): number {
    return this.#streams.size
  }

  settle(floors: Floors): void {
    this.#floors = floors
    for (const stream of this.#streams.values()) {
      const own = this.#floorOf(stream.name)
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
    const floor = this.#floorOf(name)
    const readFrame = (place: number): Buffer => this.#memory.read(place)
    const stream = new LiveStream(this.#by_id.length, name, decimals, floor, readFrame)
    this.#by_id.push(stream)
    this.#streams.set(key, stream)
    return stream
  }

  #floorOf({ channel }: StreamName): number {
    return channel === 'gaps' || channel === 'signals' ? this.#floors[channel] : this.#floors.rows
  }

  append(stream: LiveStream, message: Message): void {
    this.message_count++
    this.#dirty.add(stream)
    stream.append(message)
    // What is in Postgres already is only passed on.
    if (message.seq <= stream.floor) return
    const frame = this.#memory.put(message.frame, stream.id, (id) => this.#drop(id))
    stream.keep(message, frame ?? 0)
    // It is larger than the memory, and leaves it at once.
    if (frame === undefined) this.#drop(stream.id)
  }

  /** Passes all new messages on to the listeners. */
  passOn(): void {
    for (const stream of this.#dirty) stream.passOn()
    this.#dirty.clear()
  }

  /** The oldest message of the stream has left memory. */
  #drop(id: number): void {
    if (!this.#by_id[id]!.dropOldest()) return
    const { length } = this.#dropped
    this.#dropped[(this.#dropped_head + this.#dropped_count++) % length] = id
    if (this.#dropped_count < length) return
    this.#by_id[this.#dropped[this.#dropped_head]!]!.forgetRecord()
    this.#dropped_head = (this.#dropped_head + 1) % length
    this.#dropped_count--
  }
}
