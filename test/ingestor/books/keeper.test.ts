import { expect, test } from 'vitest'
import type { DepthEvent, Level } from '#core/market.ts'
import { micros } from '#core/time.ts'
import { createBookKeeper } from '../../../ingestor/books/keeper.ts'

const ASK: Level = [1_000, 1]

/** A diff as on spot: consecutive ids, one level each. */
function diff(symbol: string, id: number, bid: Level = [id, 1]): DepthEvent {
  return { ...event(symbol, id), depth_kind: 'diff', first_update_id: id, bids: [bid] }
}

function snapshot(symbol: string, id: number): DepthEvent {
  return { ...event(symbol, id), bids: [[1, 1]], asks: [ASK] }
}

function event(symbol: string, id: number): DepthEvent {
  const ts = micros(1_700_000_000_000_000 + id * 1_000)
  return {
    kind: 'depth',
    exchange: 'binance-futures',
    symbol,
    depth_kind: 'snapshot',
    ts_exchange: ts,
    ts_ingest: micros(ts + 500),
    first_update_id: null,
    final_update_id: id,
    prev_final_update_id: null,
    bids: [],
    asks: [],
  }
}

function keeperWith(...events: readonly DepthEvent[]) {
  const wanted: string[] = []
  const keeper = createBookKeeper((_exchange, symbol) => wanted.push(symbol))
  const gaps = events.map((one) => keeper.take(one, one.depth_kind !== 'snapshot'))
  const best = (symbol: string) => keeper.book('binance-futures', symbol)?.bids.top(1)
  return { keeper, wanted, best, gaps }
}

test('a break of one symbol loses only that book, until its snapshot arrives', () => {
  const { keeper, wanted, best } = keeperWith(
    ...['A', 'B'].flatMap((symbol) => [
      diff(symbol, 10),
      diff(symbol, 11),
      snapshot(symbol, 10),
      diff(symbol, 12),
    ]),
    diff('A', 14),
  )
  expect([best('A'), best('B')]).toEqual([undefined, [[12, 1]]])
  expect(keeper.counts()).toEqual({ books: 2, books_synced: 1, books_lost: 1 })
  expect(wanted).toEqual(['A', 'B'])
  keeper.take(diff('A', 15), true)
  expect(wanted).toEqual(['A', 'B', 'A'])
  keeper.take(snapshot('B', 15), false)
  expect(best('A')).toBeUndefined()
  keeper.take(snapshot('A', 15), false)
  expect([best('A'), best('B')]).toEqual([[[1, 1]], [[1, 1]]])
  expect(keeper.counts()).toEqual({ books: 2, books_synced: 2, books_lost: 1 })
})

test('a crossed book is not served and is in the ledger', () => {
  const { best, gaps } = keeperWith(
    diff('A', 10),
    diff('A', 11),
    snapshot('A', 11),
    diff('A', 12, [1_000, 2]),
  )
  expect(best('A')).toBeUndefined()
  expect(gaps.slice(0, 3)).toEqual([undefined, undefined, undefined])
  expect(gaps[3]).toMatchObject({
    symbol: 'A',
    channel: 'depth_events',
    cause: 'sequence',
    from_id: 12,
    to_id: 12,
  })
})

test('records that are read again after Postgres was lost change no book', () => {
  const events = [diff('A', 10), diff('A', 11), snapshot('A', 10), diff('A', 12), diff('A', 13)]
  const { keeper, wanted, best } = keeperWith(...events, ...events.slice(1))
  expect(best('A')).toEqual([[13, 1]])
  expect(keeper.counts()).toEqual({ books: 1, books_synced: 1, books_lost: 0 })
  expect(wanted).toEqual(['A'])
})

test('a book whose stream is lost is not served until a diff continues it', () => {
  const { keeper, best } = keeperWith(
    ...['A', 'B'].flatMap((symbol) => [diff(symbol, 10), diff(symbol, 11), snapshot(symbol, 11)]),
  )
  keeper.noteLost('binance-futures', 'A')
  keeper.noteLost('binance-futures', 'NEVERKNOWN')
  expect([best('A'), best('B')]).toEqual([undefined, [[1, 1]]])
  expect(keeper.counts()).toEqual({ books: 2, books_synced: 1, books_lost: 0 })
  // A renewal shows the current book, but no diffs follow.
  keeper.take(snapshot('A', 15), false)
  expect(best('A')).toBeUndefined()
  keeper.take(diff('A', 16), true)
  expect(best('A')).toEqual([[16, 1]])
  expect(keeper.counts()).toEqual({ books: 2, books_synced: 2, books_lost: 0 })
})

test('a diff after missed diffs loses the book', () => {
  const { keeper, best } = keeperWith(diff('A', 10), diff('A', 11), snapshot('A', 11))
  keeper.noteLost('binance-futures', 'A')
  keeper.take(diff('A', 19), true)
  expect(best('A')).toBeUndefined()
  expect(keeper.counts()).toEqual({ books: 1, books_synced: 0, books_lost: 1 })
})

test('a partial book is not part of the sequence', () => {
  const partial: DepthEvent = { ...snapshot('A', 12), depth_kind: 'partial' }
  const { keeper } = keeperWith(partial, partial)
  expect(keeper.counts()).toEqual({ books: 0, books_synced: 0, books_lost: 0 })
})

test('a renewal restores levels beyond the first snapshot', () => {
  const { keeper, best } = keeperWith(diff('A', 10), diff('A', 11), snapshot('A', 11))
  keeper.noteAsked('binance-futures', 'A')
  keeper.take(diff('A', 12), true)
  keeper.take(diff('A', 13), true)
  keeper.take({ ...snapshot('A', 12), bids: [[0.1, 7]] }, false)
  expect(best('A')).toEqual([[13, 1]])
  expect(keeper.book('binance-futures', 'A')?.bids.top(9)).toEqual([
    [13, 1],
    [0.1, 7],
  ])
})

test('a stream that was lost before its snapshot came wants another when it is back', () => {
  const { keeper, wanted, best } = keeperWith(diff('A', 10), diff('A', 11))
  expect(wanted).toEqual(['A'])
  keeper.take(diff('A', 12), true)
  expect(wanted).toEqual(['A'])
  // An operator excludes the stream, which forgets the request, and records it again.
  keeper.noteLost('binance-futures', 'A')
  keeper.take(diff('A', 50), true)
  keeper.take(diff('A', 51), true)
  expect(wanted).toEqual(['A', 'A'])
  keeper.take(snapshot('A', 50), false)
  expect(best('A')).toEqual([[51, 1]])
})
