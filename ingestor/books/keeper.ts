/**
 * The local books of an ingestor. Takes every depth event in tape order, keeps each symbol's book
 * in sequence (core/book-sync.ts), reports which symbols need a snapshot, and counts. Sends no
 * requests: snapshot-queue.ts does that, in the thread of the sockets.
 */
import type { OrderBook } from '#core/book.ts'
import {
  type BookNews,
  type BookState,
  noteAsked,
  takeDiff,
  takeSnapshot,
  unsyncedBook,
} from '#core/book-sync.ts'
import type { DepthEvent, Gap } from '#core/market.ts'
import type { Exchange } from '#core/symbols.ts'

export interface BookCounts {
  /** Symbols with at least one diff or snapshot. */
  readonly books: number
  /** Books that are in sequence now. */
  readonly books_synced: number
  /** How often a book was lost, over all symbols. */
  readonly books_lost: number
}

export interface BookKeeper {
  /**
   * `in_stream`: the event came over a socket. Returns a gap only for impossible levels, which only
   * a book can show. The stream's sequence check reports breaks of the sequence (sequence.ts).
   */
  take(event: DepthEvent, in_stream: boolean): Gap | undefined
  /** The symbol's stream is lost: its book is not served until the next diff continues it. */
  noteLost(exchange: Exchange, symbol: string): void
  /** A snapshot of the symbol was requested. */
  noteAsked(exchange: Exchange, symbol: string): void
  /** The book to serve; undefined while it is unknown or out of sequence. */
  book(exchange: Exchange, symbol: string): OrderBook | undefined
  /** Whether `book` returns a book; undefined if the symbol had no event. */
  state(exchange: Exchange, symbol: string): 'synced' | 'lost' | undefined
  counts(): BookCounts
}

/** One symbol. */
interface Kept {
  state: BookState
  /** True from the loss of the stream to its next event: the book may be stale. */
  is_stream_lost: boolean
}

export function createBookKeeper(
  onWanted: (exchange: Exchange, symbol: string) => void,
): BookKeeper {
  const kept = new Map<Exchange, Map<string, Kept>>()
  let lost_count = 0

  const take = (event: DepthEvent, in_stream: boolean): Gap | undefined => {
    const { depth_kind } = event
    if (depth_kind === 'partial') return undefined
    const one = keptOf(kept, event)
    const [state, news] =
      depth_kind === 'diff' ? takeDiff(one.state, event) : takeSnapshot(one.state, event, in_stream)
    one.state = state
    if (in_stream) one.is_stream_lost = false
    return news.map((what) => hear(event, what)).find((gap) => gap !== undefined)
  }

  const hear = (event: DepthEvent, news: BookNews): Gap | undefined => {
    const { exchange, symbol, ts_ingest: detected_at } = event
    if (news.kind === 'wanted') onWanted(exchange, symbol)
    if (news.kind !== 'lost') return undefined
    lost_count++
    if (news.cause === 'sequence') return undefined
    const { from_id, to_id, from_ts, to_ts } = news
    const bounds = { from_id, to_id, from_ts, to_ts, cause: 'sequence', detected_at } as const
    return { exchange, symbol, channel: 'depth_events', ...bounds }
  }

  return {
    take,
    noteLost(exchange, symbol) {
      const one = kept.get(exchange)?.get(symbol)
      if (one === undefined) return
      one.is_stream_lost = true
      // An operator who excludes the stream also ends the request for its snapshot. When the stream
      // is back, another is wanted.
      if (one.state.kind === 'syncing') one.state.is_wanted = false
    },
    noteAsked(exchange, symbol) {
      const one = kept.get(exchange)?.get(symbol)
      if (one !== undefined) noteAsked(one.state)
    },
    book: (exchange, symbol) => bookOf(kept.get(exchange)?.get(symbol)),
    state(exchange, symbol) {
      const one = kept.get(exchange)?.get(symbol)
      if (one === undefined) return undefined
      return bookOf(one) === undefined ? 'lost' : 'synced'
    },
    counts() {
      const all = [...kept.values()].flatMap((symbols) => [...symbols.values()])
      const books_synced = all.filter((one) => bookOf(one) !== undefined).length
      return { books: all.length, books_synced, books_lost: lost_count }
    },
  }
}

function bookOf(one: Kept | undefined): OrderBook | undefined {
  return one?.state.kind === 'synced' && !one.is_stream_lost ? one.state.book : undefined
}

function keptOf(all: Map<Exchange, Map<string, Kept>>, { exchange, symbol }: DepthEvent): Kept {
  let symbols = all.get(exchange)
  if (symbols === undefined) all.set(exchange, (symbols = new Map()))
  let one = symbols.get(symbol)
  if (one === undefined)
    symbols.set(symbol, (one = { state: unsyncedBook(), is_stream_lost: false }))
  return one
}
