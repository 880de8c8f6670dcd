/**
 * One depth stream of a symbol: the changes since its last frame, or the current top levels. Each
 * stream has its own chain: pu is the u of the stream's previous frame.
 */
import type { Hub, Topic } from '../protocol/hub.ts'
import type { Book, Side } from './book.ts'
import type { PayloadStyle, Scribe } from './payloads.ts'

type Levels = (readonly [price: number, qty: number])[]

export class DepthFeed {
  readonly #topic: Topic
  /** Levels of a partial book; undefined if the feed sends changes. */
  readonly #level_count: number | undefined
  readonly #interval_ms: number
  readonly #bids = new Map<number, number>()
  readonly #asks = new Map<number, number>()
  #first_u = 0
  #last_u: number
  #previous_u: number
  #ts_ms = 0

  constructor(topic: Topic, interval_ms: number, level_count: number | undefined, u: number) {
    this.#topic = topic
    this.#interval_ms = interval_ms
    this.#level_count = level_count
    this.#last_u = u
    this.#previous_u = u
  }

  noteLevel(side: Side, price: number, qty: number): void {
    if (this.#level_count !== undefined) return
    const changed = side === 'bid' ? this.#bids : this.#asks
    changed.set(price, qty)
  }

  /** Assigns the changes noted before to this update id. */
  noteUpdate(u: number, ts_ms: number): void {
    if (this.#first_u === 0) this.#first_u = u
    this.#last_u = u
    this.#ts_ms = ts_ms
  }

  /** `now_ms` is a multiple of 100. Sends changes at multiples of the feed's interval. */
  emit(hub: Hub, style: PayloadStyle, scribe: Scribe, book: Book, now_ms: number): void {
    if (this.#first_u === 0 || now_ms % this.#interval_ms >= 100) return
    const write = this.#level_count === undefined ? style.depth : style.partialDepth
    const payload = !hub.wantsPayload(this.#topic)
      ? ''
      : write(scribe, {
          sent_ms: now_ms,
          ts_ms: this.#ts_ms,
          first_u: this.#first_u,
          last_u: this.#last_u,
          previous_u: this.#previous_u,
          bids: this.#levels(book, 'bid'),
          asks: this.#levels(book, 'ask'),
        })
    hub.publish(this.#topic, this.#last_u, this.#ts_ms, payload)
    this.#previous_u = this.#last_u
    this.#first_u = 0
    this.#bids.clear()
    this.#asks.clear()
  }

  #levels(book: Book, side: Side): Levels {
    if (this.#level_count !== undefined) return topLevels(book, side, this.#level_count)
    const changed = side === 'bid' ? this.#bids : this.#asks
    return [...changed].toSorted(([a], [b]) => a - b)
  }
}

/** Best first. */
export function topLevels(book: Book, side: Side, count: number): Levels {
  const levels = book.side(side)
  const length = Math.min(count, levels.depth)
  return Array.from({ length }, (_, rank) => [levels.priceAt(rank), levels.qtyAt(rank)] as const)
}
