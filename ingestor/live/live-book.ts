/**
 * One symbol's book as the live server sends it. Each update is a message that names the previous
 * one (`prev_seq`). A message holds the whole book if updates alone do not lead to it: when a
 * client subscribes, after a gap, and when a snapshot of the exchange replaced the book.
 */
import type { OrderBook } from '#core/book.ts'
import { type BookState, noteAsked, takeDiff, takeSnapshot, unsyncedBook } from '#core/book-sync.ts'
import type { Decimals } from '#core/decimal-text.ts'
import type { DepthEvent, Level } from '#core/market.ts'
import { type Micros, toIso } from '#core/time.ts'
import type { StreamName } from './channels.ts'
import { levelsText, rowText } from './rows.ts'
import { headText, type Message, messageOf } from './wire.ts'

const TOP_LEVELS = 10

export class LiveBook {
  readonly #name: StreamName
  readonly #top_name: StreamName
  readonly #epoch: string
  #state: BookState = unsyncedBook()
  /** Times of the newest row in the book. */
  #stamps: Pick<DepthEvent, 'ts_exchange' | 'ts_ingest'> | undefined
  /** Seq of the newest update; null if there was none. */
  #last_update_seq: number | null = null
  #top: readonly number[] = []
  /** The whole book in one message, until it changes: many clients may subscribe at once. */
  #whole: Message | undefined

  constructor(name: StreamName, epoch: string) {
    this.#name = name
    this.#top_name = { ...name, channel: 'topn' }
    this.#epoch = epoch
  }

  get is_synced(): boolean {
    return this.#state.kind === 'synced'
  }

  /** Takes an update or a snapshot. Returns its message; undefined if it changes nothing. */
  take(
    event: DepthEvent,
    in_stream: boolean,
    seq: number,
    decimals: Decimals,
  ): Message | undefined {
    const before = bookOf(this.#state)
    const is_update = event.depth_kind === 'diff'
    const [state] = is_update
      ? takeDiff(this.#state, event)
      : takeSnapshot(this.#state, event, in_stream)
    this.#state = state
    this.#whole = undefined
    const book = bookOf(state)
    const is_replaced = book !== undefined && book !== before
    // A REST snapshot is older than the book: the updates since then are kept and applied to it.
    if (is_replaced) noteAsked(state)
    if (!is_update && !is_replaced) return undefined
    this.#stamps = event
    const prev_seq = this.#last_update_seq
    if (is_update) this.#last_update_seq = seq
    const rows = is_update ? [rowText('depth_events', event, decimals)] : []
    const text = this.#text(seq, prev_seq, rows, is_replaced, decimals)
    return messageOf(seq, text)
  }

  /** The whole book at `seq`, for a client that subscribes now. */
  whole(seq: number, decimals: Decimals): Message {
    if (this.#whole?.seq !== seq) {
      this.#whole = messageOf(seq, this.#text(seq, this.#last_update_seq, [], true, decimals))
    }
    return this.#whole
  }

  /** An update from history. */
  pastUpdate(seq: number, prev_seq: number | null, row: string): Message {
    const head = headText('book', this.#name, this.#epoch, seq)
    return messageOf(seq, `${head},"prev_seq":${prev_seq},"synced":null,"rows":[${row}]}`)
  }

  /** The best levels, if they changed; undefined if they did not, or if the book is unknown. */
  topIfChanged(seq: number, decimals: Decimals): Message | undefined {
    const book = bookOf(this.#state)
    if (book === undefined) return undefined
    const top = [...book.bids.top(TOP_LEVELS), [Number.NaN, 0], ...book.asks.top(TOP_LEVELS)].flat()
    const is_same =
      top.length === this.#top.length && top.every((one, at) => Object.is(one, this.#top[at]))
    if (is_same) return undefined
    this.#top = top as readonly number[]
    return this.top(seq, decimals)
  }

  /** The best levels now; undefined if the book is unknown. */
  top(seq: number, decimals: Decimals): Message | undefined {
    const state = this.#state
    if (state.kind !== 'synced' || this.#stamps === undefined) return undefined
    const { bids, asks } = state.book
    const cells = [
      ...sideCells('b', bids.top(TOP_LEVELS), decimals),
      ...sideCells('a', asks.top(TOP_LEVELS), decimals),
    ]
    const stamps = stampsText(this.#stamps, state.last_id)
    const head = headText('rows', this.#top_name, this.#epoch, seq)
    return messageOf(seq, `${head},"rows":[{${stamps},${cells.join(',')}}]}`)
  }

  #text(
    seq: number,
    prev_seq: number | null,
    rows: readonly string[],
    has_snapshot: boolean,
    decimals: Decimals,
  ): string {
    const state = this.#state
    const head = headText('book', this.#name, this.#epoch, seq)
    const synced = state.kind === 'synced'
    const start = `${head},"prev_seq":${prev_seq},"synced":${synced},"rows":[${rows.join(',')}]`
    if (!has_snapshot || state.kind !== 'synced') return `${start}}`
    const stamps = stampsText(this.#stamps ?? state, state.last_id)
    const { bids, asks } = state.book
    const sides =
      `"bids":${levelsText(bids.top(Infinity), decimals)},` +
      `"asks":${levelsText(asks.top(Infinity), decimals)}`
    return `${start},"snapshot":{${stamps},${sides}}}`
  }
}

function bookOf(state: BookState): OrderBook | undefined {
  return state.kind === 'synced' ? state.book : undefined
}

function stampsText(
  { ts_exchange, ts_ingest }: { readonly ts_exchange: Micros; readonly ts_ingest?: Micros },
  final_update_id: number,
): string {
  const received = ts_ingest === undefined ? 'null' : `"${toIso(ts_ingest)}"`
  return `"ts_exchange":"${toIso(ts_exchange)}","ts_ingest":${received},"final_update_id":${final_update_id}`
}

function sideCells(
  letter: 'a' | 'b',
  levels: readonly Level[],
  decimals: Decimals,
): readonly string[] {
  return Array.from({ length: TOP_LEVELS }, (_, rank) => {
    const level = levels[rank]
    const text = level === undefined ? undefined : levelsText([level], decimals).slice(2, -2)
    const [price, qty] = text === undefined ? ['null', 'null'] : text.split(',')
    const name = `${letter}${rank + 1}`
    return `"${name}_price":${price},"${name}_qty":${qty}`
  })
}
