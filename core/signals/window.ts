/**
 * The past that a signal may look at: the finished intervals before it, within its UTC day, and not
 * across a gap in the trades. So a signal depends on a bounded time before it, a day's signals on
 * that day alone, and none on anything after it.
 */
import { compare, type Decimal, half, plus } from '../decimals.ts'
import { DAY_US, type Micros } from '../time.ts'

/** A span in which a stream's events are, or may be, missing; both ends are inside. */
export interface BlindSpan {
  readonly from_ts: number
  /** Infinity while it has not ended. */
  readonly to_ts: number
}

/** Answers for every time up to where nothing may be looked at. */
export class BlindSpans {
  readonly #spans: readonly { readonly from_ts: number; readonly until: number }[]

  constructor(gaps: readonly BlindSpan[]) {
    let until = -Infinity
    this.#spans = gaps
      .toSorted((a, b) => a.from_ts - b.from_ts)
      .map(({ from_ts, to_ts }) => ({ from_ts, until: (until = Math.max(until, to_ts)) }))
  }

  /** The latest end of the gaps that began before `end`; -Infinity if there is none. */
  before(end: number): number {
    let [low, high] = [0, this.#spans.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#spans[middle]!.from_ts < end) low = middle + 1
      else high = middle
    }
    return this.#spans[low - 1]?.until ?? -Infinity
  }
}

/** The intervals before one, oldest first. */
export class Lookback<T extends { readonly ts: Micros }> {
  readonly #length_us: number
  #items: T[] = []

  constructor(length_us: number) {
    this.#length_us = length_us
  }

  /** In order of time. */
  add(item: T): void {
    this.#items.push(item)
    const oldest = item.ts - this.#length_us
    if (this.#items[0]!.ts < oldest) this.#items = this.#items.filter(({ ts }) => ts >= oldest)
  }

  /** Items that began within the length before `ts`, in its UTC day and after `blind_until`. */
  before(ts: Micros, blind_until: number): readonly T[] {
    const from = Math.max(ts - this.#length_us, ts - (ts % DAY_US))
    return this.#items.filter((item) => item.ts >= from && item.ts < ts && item.ts > blind_until)
  }
}

/** The middle value; the mean of the two in the middle of an even number. At least one. */
export function medianOf(values: readonly Decimal[]): Decimal {
  const sorted = values.toSorted(compare)
  const middle = sorted.length >> 1
  const upper = sorted[middle]!
  return sorted.length % 2 === 1 ? upper : half(plus(sorted[middle - 1]!, upper))
}
