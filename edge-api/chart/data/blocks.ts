/**
 * Rows of a long series in blocks of fixed spans of time. A block is requested once, nearest first,
 * as soon as it is wanted. Blocks far from what is shown are dropped, so memory is bounded; they
 * are requested again when they are wanted again.
 */
import { Refusal } from './api.ts'

export interface BlocksOptions<Row> {
  /** A block covers [index * span_us, (index + 1) * span_us). */
  readonly span_us: number
  readonly resident_max: number
  load(from: number, to: number, signal: AbortSignal): Promise<readonly Row[]>
  timeOf(row: Row): number
  /**
   * Traded in a bar. Trades are only ever added, so of two forms of a bar the one with the greater
   * volume is the newer: an answer may come from a cache, and be older than what is here.
   */
  readonly volumeOf?: (row: Row) => number
  /** Blocks came or went. */
  onChange(): void
  /** Undefined: requests succeed again. */
  onError(error: Refusal | undefined): void
}

interface Block<Row> {
  state: 'loading' | 'loaded' | 'failed'
  /** It was loaded once. */
  is_known: boolean
  /** Ascending in time. */
  rows: Row[]
}

/** The first request shows whether there is an answer at all. */
const AT_ONCE = { first: 1, later: 2 }
const RETRY_MS = { first: 1_000, max: 30_000 }

export class Blocks<Row> {
  readonly #options: BlocksOptions<Row>
  readonly #blocks = new Map<number, Block<Row>>()
  readonly #stop = new AbortController()
  #wanted: readonly number[] = []
  #loading = 0
  #failures = 0
  #is_answered = false
  #is_refused = false
  #timer = 0

  constructor(options: BlocksOptions<Row>) {
    this.#options = options
  }

  get loading(): number {
    return this.#loading
  }

  /** Wants all blocks that overlap [from, to), those nearest to `near` first. */
  want(from: number, to: number, near = (from + to) / 2): void {
    const { span_us, resident_max } = this.#options
    const first = Math.max(0, Math.floor(from / span_us))
    const last = Math.max(first, Math.ceil(to / span_us) - 1)
    const centre = near / span_us - 0.5
    const distance = (index: number): number => Math.abs(index - centre)
    this.#wanted = Array.from({ length: last - first + 1 }, (_, i) => first + i)
      .toSorted((a, b) => distance(a) - distance(b))
      .slice(0, resident_max)
    const by_distance = [...this.#blocks.keys()].toSorted((a, b) => distance(b) - distance(a))
    const excess = by_distance.slice(0, Math.max(0, this.#blocks.size - resident_max))
    for (const index of excess) if (!this.#wanted.includes(index)) this.#blocks.delete(index)
    this.#fetchMissing()
  }

  /** Rows in [from, to) that are here, ascending. */
  *rows(from: number, to: number): Generator<Row> {
    const { span_us, timeOf } = this.#options
    const indexes = [...this.#blocks.keys()].toSorted((a, b) => a - b)
    for (const index of indexes) {
      if ((index + 1) * span_us <= from || index * span_us >= to) continue
      for (const row of this.#blocks.get(index)!.rows) {
        const ts = timeOf(row)
        if (ts >= from && ts < to) yield row
      }
    }
  }

  isLoaded(ts: number): boolean {
    return this.#blocks.get(this.#indexOf(ts))?.state === 'loaded'
  }

  /** All blocks that overlap [from, to) are here. */
  hasLoaded(from: number, to: number): boolean {
    for (let index = this.#indexOf(from); index * this.#options.span_us < to; index++) {
      if (this.#blocks.get(index)?.state !== 'loaded') return false
    }
    return true
  }

  /** Adds a row, or replaces an older one; nothing if its block is not here. */
  put(row: Row): void {
    const { timeOf } = this.#options
    const ts = timeOf(row)
    const block = this.#blocks.get(this.#indexOf(ts))
    if (block?.is_known !== true) return
    const { rows } = block
    let at = rows.length
    while (at > 0 && timeOf(rows[at - 1]!) >= ts) at--
    const known = at < rows.length && timeOf(rows[at]!) === ts ? rows[at] : undefined
    rows.splice(at, known === undefined ? 0 : 1, this.#newer(known, row))
  }

  #newer(known: Row | undefined, row: Row): Row {
    const { volumeOf } = this.#options
    if (known === undefined || volumeOf === undefined) return row
    return volumeOf(known) > volumeOf(row) ? known : row
  }

  /** Requests the blocks of [from, to) again; their rows stay until the answer. */
  refresh(from: number, to: number): void {
    for (let index = this.#indexOf(from); index * this.#options.span_us < to; index++) {
      const block = this.#blocks.get(index)
      if (block?.state === 'loaded') block.state = 'failed'
    }
    this.#fetchMissing()
  }

  close(): void {
    this.#stop.abort()
    clearTimeout(this.#timer)
  }

  #indexOf(ts: number): number {
    return Math.floor(ts / this.#options.span_us)
  }

  #fetchMissing(): void {
    if (this.#timer !== 0 || this.#is_refused || this.#stop.signal.aborted) return
    for (const index of this.#wanted) {
      if (this.#loading >= (this.#is_answered ? AT_ONCE.later : AT_ONCE.first)) return
      const state = this.#blocks.get(index)?.state
      if (state === undefined || state === 'failed') void this.#fetch(index)
    }
  }

  async #fetch(index: number): Promise<void> {
    const { span_us, load, onChange, onError } = this.#options
    const block: Block<Row> = this.#blocks.get(index) ?? {
      state: 'loading',
      is_known: false,
      rows: [],
    }
    block.state = 'loading'
    this.#blocks.set(index, block)
    this.#loading++
    try {
      const rows = await load(index * span_us, (index + 1) * span_us, this.#stop.signal)
      const before = block.rows
      block.rows = [...rows]
      block.state = 'loaded'
      block.is_known = true
      if (this.#options.volumeOf !== undefined) for (const row of before) this.put(row)
      this.#is_answered = true
      if (this.#failures > 0) onError(undefined)
      this.#failures = 0
    } catch (error) {
      if (this.#stop.signal.aborted) return
      block.state = 'failed'
      this.#fail(error)
    } finally {
      this.#loading--
    }
    onChange()
    this.#fetchMissing()
  }

  #fail(error: unknown): void {
    const refusal =
      error instanceof Refusal ? error : new Refusal(-1, 'unreadable', (error as Error).message)
    this.#options.onError(refusal)
    this.#failures++
    this.#is_refused = !refusal.is_temporary
    if (this.#timer !== 0 || this.#is_refused) return
    const delay_ms = Math.min(RETRY_MS.max, RETRY_MS.first * 2 ** (this.#failures - 1))
    this.#timer = window.setTimeout(() => {
      this.#timer = 0
      this.#fetchMissing()
    }, delay_ms)
  }
}
