/**
 * Snapshots from an exchange that sends them only at the start of a subscription. Subscribes a
 * second time, over separate sockets, until every book has arrived. Wanted books are requested
 * soon, and all books every few minutes, so any past book can be rebuilt from what is recorded. The
 * frames go onto the tape like all others. The first subscription is left alone, so it misses
 * nothing.
 *
 * Invariants
 * 1. One round at a time. All symbols of a round are subscribed together.
 * 2. A wanted symbol is in every round until its stream delivers. After a round without a delivery
 *    the pause doubles.
 * 3. If a symbol is wanted again soon after its book arrived (it did not fit), the pause doubles.
 */
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { systemTimers, type Timers } from '../transport/timers.ts'
import type { SnapshotQueue } from './snapshot-queue.ts'

export interface StreamSnapshotSettings {
  /** Pause from a wish to its round: others may join, and the gap may close in the meantime. */
  readonly again_ms: number
  readonly again_cap_ms: number
  /** A book that is wanted again within this time did not fit. */
  readonly unfit_ms: number
}

export const DEFAULT_STREAM_SNAPSHOT_SETTINGS: StreamSnapshotSettings = {
  again_ms: 1_000,
  again_cap_ms: 60_000,
  unfit_ms: 5_000,
}

export interface StreamSnapshotsOptions {
  /** Seconds after which every book is renewed; 0: never. */
  readonly repeat_s: number
  /** Symbols whose depth stream is subscribed. Books of others would not connect to any diff. */
  heardSymbols(): readonly string[]
  /** Subscribes to these depth streams and resolves with the symbols that delivered. */
  listen(symbols: readonly string[], signal: AbortSignal): Promise<readonly string[]>
  readonly random: () => number
  readonly log: Logger
  readonly timers?: Timers
  readonly settings?: Partial<StreamSnapshotSettings>
}

interface Wish {
  due_ms: number
  /** Rounds without a delivery, or books that did not fit. */
  failure_count: number
}

export function createStreamSnapshots(options: StreamSnapshotsOptions): SnapshotQueue {
  return new StreamSnapshots(options)
}

class StreamSnapshots implements SnapshotQueue {
  readonly #options: StreamSnapshotsOptions
  readonly #settings: StreamSnapshotSettings
  readonly #timers: Timers
  readonly #wishes = new Map<string, Wish>()
  readonly #came = new Map<string, { readonly at_ms: number; readonly failure_count: number }>()
  readonly #stopping = new AbortController()
  #is_started = false
  #is_listening = false
  #repeat_at_ms = Infinity
  #cancelWake: (() => void) | undefined

  constructor(options: StreamSnapshotsOptions) {
    this.#options = options
    this.#settings = { ...DEFAULT_STREAM_SNAPSHOT_SETTINGS, ...options.settings }
    this.#timers = options.timers ?? systemTimers
  }

  start(): void {
    this.#is_started = true
    this.#planRepeat()
    this.#pump()
  }

  want(symbol: string): void {
    if (this.#wishes.has(symbol)) return
    const now_ms = this.#timers.now_ms()
    const came = this.#came.get(symbol)
    const is_unfit = came !== undefined && now_ms - came.at_ms < this.#settings.unfit_ms
    const failure_count = is_unfit ? came.failure_count + 1 : 0
    this.#wishes.set(symbol, { failure_count, due_ms: now_ms + this.#pauseAfter(failure_count) })
    this.#pump()
  }

  forget(symbols: readonly string[]): void {
    for (const symbol of symbols) {
      this.#wishes.delete(symbol)
      this.#came.delete(symbol)
    }
  }

  stop(): void {
    this.#is_started = false
    this.#stopping.abort()
    this.#cancelWake?.()
  }

  /** Starts a round if one is due, or sleeps until the next is. */
  #pump(): void {
    this.#cancelWake?.()
    this.#cancelWake = undefined
    if (!this.#is_started || this.#is_listening) return
    const now_ms = this.#timers.now_ms()
    const dues_ms = [...this.#wishes.values()].map((wish) => wish.due_ms)
    const wake_ms = Math.min(this.#repeat_at_ms, ...dues_ms)
    if (wake_ms <= now_ms) void this.#round(now_ms)
    else if (wake_ms < Infinity) {
      this.#cancelWake = this.#timers.after(wake_ms - now_ms, () => this.#pump())
    }
  }

  async #round(now_ms: number): Promise<void> {
    const { heardSymbols, listen, log } = this.#options
    const is_repeat = this.#repeat_at_ms <= now_ms
    if (is_repeat) this.#planRepeat()
    const heard = heardSymbols()
    const asked = new Map<string, Wish | undefined>(
      heard.flatMap((symbol) => {
        const wish = this.#wishes.get(symbol)
        return is_repeat || (wish !== undefined && wish.due_ms <= now_ms) ? [[symbol, wish]] : []
      }),
    )
    for (const [symbol, wish] of this.#wishes) {
      // It is not subscribed now. Its next subscription begins with a book.
      if (!heard.includes(symbol)) this.#delay(wish)
    }
    // A wish from now on needs another book than the one that is being requested.
    for (const symbol of asked.keys()) this.#wishes.delete(symbol)
    this.#is_listening = true
    try {
      const spoke = asked.size === 0 ? [] : await listen([...asked.keys()], this.#stopping.signal)
      this.#noteSpoke(asked, new Set(spoke))
    } catch (error) {
      const facts = { code: 'snapshot_failed', error: describeError(error) }
      log.warn(facts, 'Requesting book snapshots failed; retrying.')
      this.#noteSpoke(asked, new Set())
    } finally {
      this.#is_listening = false
      this.#pump()
    }
  }

  #noteSpoke(asked: ReadonlyMap<string, Wish | undefined>, spoke: ReadonlySet<string>): void {
    const at_ms = this.#timers.now_ms()
    for (const [symbol, wish] of asked) {
      const failure_count = wish?.failure_count ?? 0
      if (spoke.has(symbol)) {
        this.#came.set(symbol, { at_ms, failure_count })
      } else if (wish !== undefined && !this.#wishes.has(symbol)) {
        this.#delay(wish)
        this.#wishes.set(symbol, wish)
      }
    }
  }

  #delay(wish: Wish): void {
    wish.failure_count++
    wish.due_ms = this.#timers.now_ms() + this.#pauseAfter(wish.failure_count)
  }

  #pauseAfter(failure_count: number): number {
    const { again_ms, again_cap_ms } = this.#settings
    return Math.min(again_cap_ms, again_ms * 2 ** Math.min(failure_count, 30))
  }

  #planRepeat(): void {
    const { repeat_s, random } = this.#options
    // Up to a tenth earlier or later, so ingestors that started together drift apart.
    const repeat_ms = repeat_s === 0 ? Infinity : repeat_s * 1_000 * (0.9 + random() * 0.2)
    this.#repeat_at_ms = this.#timers.now_ms() + repeat_ms
  }
}
