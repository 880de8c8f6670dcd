/**
 * Requests snapshots from the exchange and appends its answers to the tape, a few at a time.
 * Symbols that the keeper wants go first, then books whose last snapshot is some minutes old, so
 * any past book can be rebuilt from what is recorded. The REST client handles the weights, and 429
 * and 418; this file decides what to request next, and when to request a symbol again.
 *
 * Invariants
 * 1. A symbol has at most one wanted snapshot waiting or in flight, and at most one renewal.
 * 2. Renewals go one at a time and never delay a wanted snapshot, not even of the same symbol. When
 *    weight is short, renewals wait.
 * 3. A symbol is requested until an answer is on the tape: after a failure with back-off and
 *    jitter, after a refusal at long intervals.
 */
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { backoffMs } from '#core/waiting.ts'
import type { ExchangeAdapter } from '../exchanges/adapter.ts'
import type { RestAnswer, RestClient } from '../transport/rest-client.ts'
import { systemTimers, type Timers } from '../transport/timers.ts'

export interface SnapshotSettings {
  /** Wanted snapshots in flight at once. The diffs of their books are buffered. */
  readonly parallel_max: number
  /**
   * Minimum pause from an answer to the next request; doubled by every answer that does not fit.
   */
  readonly again_ms: number
  readonly backoff_base_ms: number
  readonly backoff_cap_ms: number
  /** Pause after a refusal, for which an early retry is useless. */
  readonly refused_ms: number
}

export const DEFAULT_SNAPSHOT_SETTINGS: SnapshotSettings = {
  parallel_max: 4,
  again_ms: 1_000,
  backoff_base_ms: 1_000,
  backoff_cap_ms: 60_000,
  refused_ms: 600_000,
}

export interface SnapshotQueueOptions {
  readonly depthSnapshot: NonNullable<ExchangeAdapter['depthSnapshot']>
  readonly rest: Pick<RestClient, 'get'>
  /** Seconds after which a snapshot is renewed; 0: never. */
  readonly repeat_s: number
  /** Called before a request is sent. */
  onAsked(symbol: string): void
  /** Appends an answer to the tape; false if the tape has no room. */
  append(answer: RestAnswer): boolean
  readonly random: () => number
  readonly log: Logger
  readonly timers?: Timers
  readonly settings?: Partial<SnapshotSettings>
}

export interface SnapshotQueue {
  /** The streams are subscribed: snapshots from now on connect to their diffs. */
  start(): void
  /** The symbol's book is out of sequence: request it before all renewals. */
  want(symbol: string): void
  /** The symbols are no longer recorded. */
  forget(symbols: readonly string[]): void
  stop(): void
}

/** Wanted again this soon, the last snapshot was older than the diffs that it should connect to. */
const UNFIT_MS = 5_000

/** One symbol. */
interface Entry {
  readonly symbol: string
  is_wanted: boolean
  /** A wanted snapshot is in flight. */
  is_asked: boolean
  is_renewing: boolean
  /** Earliest time of the next request. */
  due_ms: number
  failure_count: number
  answered_ms: number
  /** Answers in a row that did not fit, so the symbol was wanted again at once. */
  unfit_count: number
}

const NEW_ENTRY = {
  is_wanted: true,
  is_asked: false,
  is_renewing: false,
  due_ms: 0,
  failure_count: 0,
  answered_ms: -Infinity,
  unfit_count: 0,
} as const

const RENEWALS_MAX = 1

export function createSnapshotQueue(options: SnapshotQueueOptions): SnapshotQueue {
  return new PacedSnapshotQueue(options)
}

class PacedSnapshotQueue implements SnapshotQueue {
  readonly #options: SnapshotQueueOptions
  readonly #settings: SnapshotSettings
  readonly #timers: Timers
  readonly #entries = new Map<string, Entry>()
  #asked_count = 0
  #renewing_count = 0
  #state: 'new' | 'started' | 'stopped' = 'new'
  #cancelWake: (() => void) | undefined

  constructor(options: SnapshotQueueOptions) {
    this.#options = options
    this.#settings = { ...DEFAULT_SNAPSHOT_SETTINGS, ...options.settings }
    this.#timers = options.timers ?? systemTimers
  }

  start(): void {
    this.#state = 'started'
    this.#pump()
  }

  want(symbol: string): void {
    const known = this.#entries.get(symbol)
    if (known === undefined) {
      this.#entries.set(symbol, { ...NEW_ENTRY, symbol })
    } else if (!known.is_wanted) {
      known.is_wanted = true
      const { again_ms, backoff_cap_ms } = this.#settings
      const now_ms = this.#timers.now_ms()
      const is_unfit = now_ms - known.answered_ms < UNFIT_MS
      known.unfit_count = is_unfit ? known.unfit_count + 1 : 0
      const pause_ms = Math.min(again_ms * 2 ** known.unfit_count, backoff_cap_ms)
      // A failed request keeps its pause.
      if (known.failure_count === 0) known.due_ms = known.answered_ms + pause_ms
    }
    this.#pump()
  }

  forget(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#entries.delete(symbol)
  }

  stop(): void {
    this.#state = 'stopped'
    this.#cancelWake?.()
  }

  /** Starts all requests that are due, and sleeps until the next is. */
  #pump(): void {
    if (this.#state !== 'started') return
    this.#cancelWake?.()
    this.#cancelWake = undefined
    const now_ms = this.#timers.now_ms()
    const entries = [...this.#entries.values()].toSorted((a, b) => a.due_ms - b.due_ms)
    const wanted = entries.filter((entry) => entry.is_wanted && !entry.is_asked)
    const old = entries.filter((entry) => !entry.is_wanted && !entry.is_asked && !entry.is_renewing)
    const wake_ms = Math.min(
      this.#startDue(wanted, this.#settings.parallel_max - this.#asked_count, now_ms),
      this.#startDue(old, RENEWALS_MAX - this.#renewing_count, now_ms),
    )
    if (wake_ms === Infinity) return
    this.#cancelWake = this.#timers.after(wake_ms - now_ms, () => this.#pump())
  }

  /**
   * Requests up to `room_count` entries by due time. Returns when the next is due; else Infinity.
   */
  #startDue(entries: readonly Entry[], room_count: number, now_ms: number): number {
    const next = entries.slice(0, Math.max(0, room_count))
    for (const entry of next) {
      if (entry.due_ms > now_ms) return entry.due_ms
      void this.#ask(entry)
    }
    return Infinity
  }

  async #ask(entry: Entry): Promise<void> {
    const { symbol, is_wanted: was_wanted } = entry
    const { depthSnapshot, rest, append, onAsked } = this.#options
    this.#count(entry, was_wanted, true)
    // A wish from now on needs another answer than this one.
    entry.is_wanted = false
    try {
      onAsked(symbol)
      const priority = was_wanted ? 'high' : 'low'
      const answer = await rest.get({ ...depthSnapshot(symbol), priority })
      if (this.#state === 'stopped') return
      if (!append(answer)) throw new OperatorError('tape_full', 'The tape has no room.')
      this.#noteAnswered(entry)
    } catch (error) {
      if (this.#state !== 'stopped') this.#noteFailed(entry, error, was_wanted)
    } finally {
      this.#count(entry, was_wanted, false)
      this.#pump()
    }
  }

  #count(entry: Entry, was_wanted: boolean, is_open: boolean): void {
    const step = is_open ? 1 : -1
    if (was_wanted) {
      entry.is_asked = is_open
      this.#asked_count += step
    } else {
      entry.is_renewing = is_open
      this.#renewing_count += step
    }
  }

  #noteAnswered(entry: Entry): void {
    const { repeat_s, random } = this.#options
    const now_ms = this.#timers.now_ms()
    entry.failure_count = 0
    entry.answered_ms = now_ms
    // Up to a tenth earlier or later, so books that started together drift apart.
    const repeat_ms = repeat_s === 0 ? Infinity : repeat_s * 1_000 * (0.9 + random() * 0.2)
    entry.due_ms = now_ms + (entry.is_wanted ? this.#settings.again_ms : repeat_ms)
  }

  #noteFailed(entry: Entry, error: unknown, was_wanted: boolean): void {
    const { log, random } = this.#options
    const { symbol } = entry
    const { again_ms, refused_ms } = this.#settings
    entry.failure_count++
    entry.is_wanted ||= was_wanted
    const now_ms = this.#timers.now_ms()
    if (error instanceof OperatorError && error.code === 'rest_refused') {
      log.warn(
        { code: error.code, symbol, error: describeError(error) },
        'The exchange refused a book snapshot.',
      )
      entry.due_ms = now_ms + refused_ms
      return
    }
    const delay_ms = backoffMs(entry.failure_count, this.#settings, random)
    entry.due_ms = now_ms + Math.max(again_ms, delay_ms)
    if (entry.failure_count > 1) return
    log.warn(
      { code: 'snapshot_failed', symbol, error: describeError(error) },
      'A book snapshot failed; retrying.',
    )
  }
}
