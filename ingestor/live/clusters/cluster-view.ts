/**
 * The newest footprint bars of one symbol, interval and bin. While somebody listens, the engine is
 * asked for them again whenever the symbol was traded, so a bar here has the bytes of /v1/clusters.
 * Each change of a bar is a message, which holds the whole bar and replaces the one before.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { INTERVAL_US } from '#core/clusters/intervals.ts'
import type { ClusterRow } from '#core/clusters/row.ts'
import { keyOf, type StreamName } from '../channels.ts'
import { frameOf, headText } from '../wire.ts'
import type { BarsWanted, ReadBars } from './engine.ts'

/** A bar as it was sent last. */
export interface SentBar {
  /** Start of the bar [us]. */
  readonly ts: number
  readonly seq: number
  /** Traded quantity [base asset]. */
  readonly volume: number
  readonly is_final: boolean
  readonly text: string
  readonly frame: Buffer
}

export interface ViewListener {
  /** Some bars changed. */
  takeChanges(): void
  /** Changes were missed: the listener has to resume. */
  restart(): void
}

/** A stream of bars: a channel of a symbol with an interval and a bin. */
export type ViewName = StreamName & Required<Pick<StreamName, 'interval' | 'bin'>>

export interface ViewOptions {
  readonly name: ViewName
  readonly epoch: string
  readonly readBars: ReadBars
  /** When the symbol's newest trade was received [us]; 0: not known. */
  newestTrade(): number
  /** Microseconds. */
  now(): number
  noteFailure(): void
}

const EVERY_MS = 1_000
/** All bars that are kept are compared again after this time: late trades change final ones. */
const COMPARE_EVERY_MS = 10_000
/** Bars that were read this long ago are read again for a new listener. */
const FRESH_US = 2_000_000
/** A trade is in the engine's answers this long after its receipt. */
const COMMIT_US = 3_000_000
const BARS_MAX = 30
const BARS_MIN = 2
const BYTES_MAX = 256 * 1024

export class ClusterView {
  readonly name: ViewName
  readonly key: string
  readonly listeners = new Set<ViewListener>()
  /** Seq of the newest change. */
  last = 0
  /** Every change of a bar with a greater seq is in `bars`. */
  floor = Infinity
  /** When the last listener left [ms of performance.now]; 0: there are some, or were none. */
  left_at = 0
  readonly #options: ViewOptions
  /** Oldest first. */
  #bars: SentBar[] = []
  #compared_at = -Infinity
  #asked_at_us = 0
  #reading: Promise<void> | undefined
  readonly #stopping = new AbortController()

  constructor(options: ViewOptions) {
    this.#options = options
    this.name = options.name
    this.key = keyOf(options.name)
    void this.#follow()
  }

  get byte_count(): number {
    return this.#bars.reduce((sum, { frame }) => sum + frame.length, 0)
  }

  /** Start of the oldest bar that is kept [us]. */
  get oldest_ts(): number {
    return this.#bars[0]?.ts ?? 0
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Nothing that is sent from now on has a smaller seq. */
  get newest_seq(): number {
    return this.last === 0 ? this.#options.now() : this.last
  }

  /** Resolves once the newest bars are known. Rejects with a Fault if the engine gives none. */
  async ready(): Promise<void> {
    if (this.#options.now() - this.#asked_at_us > FRESH_US) await this.#read()
  }

  /** The bars that changed after `seq`, in the order of their changes. */
  after(seq: number): readonly SentBar[] {
    return this.#bars.filter((bar) => bar.seq > seq).toSorted((a, b) => a.seq - b.seq)
  }

  /** The bars that begin last. */
  newest(count: number): readonly SentBar[] {
    return this.#bars.slice(-count).toSorted((a, b) => a.seq - b.seq)
  }

  /** A bar as a message of this stream. */
  messageOf(row: ClusterRow, seq: number): SentBar {
    const text = JSON.stringify(row)
    const head = headText('rows', this.name, this.#options.epoch, seq)
    return {
      ts: Date.parse(row.ts) * 1_000,
      seq,
      volume: Number(row.volume),
      is_final: row.is_final,
      text,
      frame: frameOf(`${head},"rows":[${text}]}`),
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      if (this.listeners.size > 0 && this.#hasNews()) {
        await this.#read().catch(() => this.#options.noteFailure())
      }
      await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  #hasNews(): boolean {
    if (performance.now() - this.#compared_at > COMPARE_EVERY_MS) return true
    const end_us = this.#options.now() - INTERVAL_US[this.name.interval]
    const ends = this.#bars.some(({ is_final, ts }) => !is_final && ts <= end_us)
    return ends || this.#options.newestTrade() > this.#asked_at_us - COMMIT_US
  }

  /** Callers share one read. */
  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #readOnce(): Promise<void> {
    const now_us = this.#options.now()
    const interval_us = INTERVAL_US[this.name.interval]
    const compares = performance.now() - this.#compared_at > COMPARE_EVERY_MS
    const oldest_open = this.#bars.find(({ is_final }) => !is_final) ?? this.#bars.at(-1)
    const from =
      compares || oldest_open === undefined ? now_us - BARS_MAX * interval_us : oldest_open.ts
    const wanted: BarsWanted = {
      exchange: this.name.exchange,
      symbol: this.name.symbol,
      interval: this.name.interval,
      bin: this.name.bin,
      from,
      to: now_us + interval_us,
      order: 'desc',
      limit: BARS_MAX,
    }
    const { rows } = await this.#options.readBars(wanted)
    if (now_us - this.#asked_at_us > (BARS_MAX - BARS_MIN) * interval_us) this.#restart()
    this.#asked_at_us = now_us
    if (compares) this.#compared_at = performance.now()
    // What changes from now on is noted here; what changed before is in the engine.
    if (this.floor === Infinity) this.floor = now_us
    this.#take(rows.toReversed())
  }

  /** More bars have passed than are kept. */
  #restart(): void {
    this.#bars = []
    this.floor = Infinity
    for (const listener of this.listeners) listener.restart()
  }

  #take(rows: readonly ClusterRow[]): void {
    const known = new Map(this.#bars.map((bar) => [bar.ts, bar]))
    const { oldest_ts } = this
    let has_changed = false
    for (const row of rows) {
      const seq = Math.max(this.#options.now(), this.last + 1)
      const bar = this.messageOf(row, seq)
      if (known.get(bar.ts)?.text === bar.text) continue
      // It left because there are newer ones.
      if (bar.ts < oldest_ts) continue
      known.set(bar.ts, bar)
      this.last = seq
      has_changed = true
    }
    if (!has_changed) return
    this.#bars = [...known.values()].toSorted((a, b) => a.ts - b.ts)
    while (
      this.#bars.length > BARS_MAX ||
      (this.#bars.length > BARS_MIN && this.byte_count > BYTES_MAX)
    ) {
      this.floor = Math.max(this.floor, this.#bars.shift()!.seq)
    }
    for (const listener of this.listeners) listener.takeChanges()
  }
}
