import { expect, test } from 'vitest'
import { describeStatus } from '../../infra/local/status-line.ts'
import type { IngestorStatus } from '../../ingestor/status.ts'

const NONE = {
  book_ticker: 0,
  trades: 0,
  depth_events: 0,
  mark_price: 0,
  liquidations: 0,
  prices: 0,
}
const STATUS: IngestorStatus = {
  state: 'live',
  frames_received: 10,
  frames_per_s: 1_012.4,
  tape_end: 0,
  committed_position: 0,
  rows_committed: { ...NONE, book_ticker: 123_000, trades: 456 },
  duplicates: NONE,
  conflicts: NONE,
  ignored: 0,
  rejected: 0,
  instruments_left_out: 0,
  dead_letters: 0,
  gaps: 0,
  gaps_open: 0,
  gaps_repaired: 0,
  lost_streams: 0,
  lost_stream_names: [],
  oldest_lost_stream_s: 0,
  books: 5,
  books_synced: 5,
  books_lost: 1,
  lag_ms: 54,
}

for (const [name, change, expected] of [
  ['no gap', {}, '1,012 events/s | 123,456 rows committed | lag 54 ms | 0 gaps'],
  ['an open gap', { gaps_open: 1 }, '1,012 events/s | 123,456 rows committed | lag 54 ms | 1 gap'],
  [
    'repaired gaps count as gaps',
    { gaps_open: 1, gaps_repaired: 2 },
    '1,012 events/s | 123,456 rows committed | lag 54 ms | 3 gaps, 2 repaired',
  ],
  [
    'a silent stream',
    {
      gaps_open: 1,
      lost_streams: 2,
      lost_stream_names: ['BTCUSDT trades (disconnect)', 'ETHUSDT trades (disconnect)'],
      oldest_lost_stream_s: 12,
    },
    '1,012 events/s | 123,456 rows committed | lag 54 ms | 1 gap | 2 streams silent for 12 s: BTCUSDT trades (disconnect), ...',
  ],
  [
    'books that are not in sequence',
    { books_synced: 3 },
    '1,012 events/s | 123,456 rows committed | lag 54 ms | 0 gaps | 3 of 5 books',
  ],
  [
    'a state other than live is at the end',
    { state: 'database_away', gaps_repaired: 1 },
    '1,012 events/s | 123,456 rows committed | lag 54 ms | 1 gap, 1 repaired | database away',
  ],
] as const) {
  test(`the status line: ${name}`, () => {
    expect(describeStatus({ ...STATUS, ...change })).toBe(expected)
  })
}
