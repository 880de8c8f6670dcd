/**
 * Whole books of an exchange that gives them only at the beginning of a subscription: subscribes a
 * second time, over sockets of their own, until every book has come. What the keeper wants is asked
 * for soon, and all books every some minutes, so that a book at any moment can be rebuilt from what
 * is recorded. The frames go onto the tape like all others; the first subscription is not touched,
 * so nothing is missed for it.
 *
 * Invariants
 * 1. One round at a time; its symbols are listened to together.
 * 2. A symbol that is wanted is in every round until its stream spoke; a round without an answer is
 *    followed by a pause that doubles.
 * 3. A symbol that is wanted again soon after its book came (it did not fit) waits twice as long
 *    each time.
 */
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { systemTimers, type Timers } from '../transport/timers.ts'
import type { SnapshotQueue } from './snapshot-queue.ts'

export interface StreamSnapshotSettings {
  /** Between a wish and its round: others may join, and the hole may close by itself. */
  readonly again_ms: number
  readonly again_cap_ms: number
  /** Wanted again so soon after it came: it did not fit. */
  readonly unfit_ms: number
}

export const DEFAULT_STREAM_SNAPSHOT_SETTINGS: StreamSnapshotSettings = {
  again_ms: 1_000,
  again_cap_ms: 60_000,
  unfit_ms: 5_000,
}

export interface StreamSnapshotsOptions {
  /** Seconds after which every book is asked for anew; 0: never. */
  readonly repeat_s: number
  /** Symbols whose depth stream is heard now: of the others a book would connect to nothing. */
  heardSymbols(): readonly string[]
  /** Subscribes to the depth streams of these, and settles with those that spoke. */
  listen(symbols: readonly string[], signal: AbortSignal): Promise<readonly string[]>
  readonly random: () => number
  readonly log: Logger
  readonly timers?: Timers
  readonly settings?: Partial<StreamSnapshotSettings>
}

interface Wish {
  due_ms: number
  /** Rounds in vain, or books that did not fit. */
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
      // Not heard now: its next subscription begins with a book.
      if (!heard.includes(symbol)) this.#delay(wish)
    }
    // A wish that comes from now on is for another book than the one that is being asked for.
    for (const symbol of asked.keys()) this.#wishes.delete(symbol)
    this.#is_listening = true
    try {
      const spoke = asked.size === 0 ? [] : await listen([...asked.keys()], this.#stopping.signal)
      this.#noteSpoke(asked, new Set(spoke))
    } catch (error) {
      const facts = { code: 'snapshot_failed', error: describeError(error) }
      log.warn(facts, 'No book came; asking again.')
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
    // A tenth earlier or later, so that ingestors that began together do not stay together.
    const repeat_ms = repeat_s === 0 ? Infinity : repeat_s * 1_000 * (0.9 + random() * 0.2)
    this.#repeat_at_ms = this.#timers.now_ms() + repeat_ms
  }
}
