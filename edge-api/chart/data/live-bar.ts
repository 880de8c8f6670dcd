/**
 * The bars that are still growing: minutes of live trades, and before them, for a bar that began
 * before the stream did, what the API has of it.
 */
import { type Bar, binBar, joinBars } from '#core/clusters/bar.ts'
import type { Decimal } from '#core/decimals.ts'
import { micros } from '#core/time.ts'
import { MINUTE_US, type Minutes } from './minutes.ts'

const RETRY_MS = 5_000

/** Bars of [from, to), binned by `step`, ascending. */
export type AskBase = (from: number, to: number, step: Decimal) => Promise<readonly Bar[]>

interface Closed {
  /** Minutes from `from` up to `to` are in it. */
  readonly to: number
  readonly bar: Bar | undefined
  readonly revision: number
}

export class LiveBar {
  readonly ts: number
  readonly #interval_us: number
  readonly #step: Decimal
  readonly #minutes: Minutes
  readonly #askBase: AskBase
  /** What the API has of the bar; undefined while it is asked. */
  #base: { readonly to: number; readonly bars: readonly Bar[] } | undefined
  #is_asking = false
  #closed: Closed | undefined

  constructor(ts: number, interval_us: number, step: Decimal, minutes: Minutes, askBase: AskBase) {
    this.ts = ts
    this.#interval_us = interval_us
    this.#step = step
    this.#minutes = minutes
    this.#askBase = askBase
    if (minutes.complete_from <= ts) this.#base = { to: ts, bars: [] }
  }

  /** Undefined while what came before the stream is asked for, or if nothing was traded. */
  bar(): Bar | undefined {
    const base = this.#base
    const is_behind = (this.#closed?.to ?? base?.to ?? 0) < this.#minutes.complete_from
    const is_changed =
      this.#closed !== undefined && this.#closed.revision !== this.#minutes.revision
    if (is_changed) this.#closed = undefined
    if (base === undefined || (is_behind && this.#closed === undefined)) {
      void this.#ask()
      return undefined
    }
    const end = Math.min(this.ts + this.#interval_us, this.#minutes.newest)
    this.#closed = this.#close(this.#closed ?? this.#start(base), end)
    const open = end === this.#minutes.newest ? this.#minuteOf(end) : undefined
    const bars = [this.#closed.bar, open].filter((bar) => bar !== undefined)
    return bars.length === 0 ? undefined : joinBars(micros(this.ts), bars)
  }

  #start({ to, bars }: { readonly to: number; readonly bars: readonly Bar[] }): Closed {
    const bar = bars.length === 0 ? undefined : joinBars(micros(this.ts), bars)
    return { to, bar, revision: this.#minutes.revision }
  }

  /** Adds the minutes that are over. */
  #close(closed: Closed, end: number): Closed {
    const bars: Bar[] = closed.bar === undefined ? [] : [closed.bar]
    let to = closed.to
    for (; to < end; to += MINUTE_US) {
      const minute = this.#minuteOf(to)
      if (minute !== undefined) bars.push(minute)
    }
    if (to === closed.to) return closed
    const bar = bars.length === 0 ? undefined : joinBars(micros(this.ts), bars)
    return { to, bar, revision: closed.revision }
  }

  #minuteOf(ts: number): Bar | undefined {
    if (ts < this.ts || ts >= this.ts + this.#interval_us) return undefined
    const bar = this.#minutes.barOf(ts)
    return bar === undefined ? undefined : binBar(bar, this.#step)
  }

  async #ask(): Promise<void> {
    if (this.#is_asking) return
    this.#is_asking = true
    const to = this.#minutes.complete_from
    try {
      this.#base = { to, bars: await this.#askBase(this.ts, to, this.#step) }
      this.#is_asking = false
    } catch {
      // Until then the bar is as the API had it.
      setTimeout(() => (this.#is_asking = false), RETRY_MS)
    }
  }
}
