/** The tape's records through the batcher: whenever a book is lost, the ledger says why. */
import { expect, test } from 'vitest'
import type { StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { createBookKeeper } from '../../../ingestor/books/keeper.ts'
import { createBatcher } from '../../../ingestor/writer/batcher.ts'
import { diff, type Entry, mark, rest, START_MS, text } from '../writer/support.ts'

const CHOICE: StreamChoice = { channels: ['depth_events'], trade_stream: 'aggTrade' }
const DEPTH = [{ symbol: 'AUSDT', channel: 'depth_events' }] as const

function snapshot(symbol: string, id: number, ms: number): Entry {
  const T = START_MS + ms
  const body = { lastUpdateId: id, E: T, T, bids: [['99.50', '1']], asks: [['100.50', '1']] }
  return rest(ms, `/fapi/v1/depth?symbol=${symbol}&limit=1000`, JSON.stringify(body))
}

/** Both books in sequence at update 30, after 300 ms. */
const SYNCED = ['AUSDT', 'BUSDT'].flatMap((symbol) => [
  diff(symbol, 0, 10, 100),
  diff(symbol, 10, 20, 200),
  snapshot(symbol, 15, 250),
  diff(symbol, 20, 30, 300),
])

function take(entries: readonly Entry[]) {
  const wanted: string[] = []
  const books = createBookKeeper((_exchange, symbol) => wanted.push(symbol))
  const batcher = createBatcher({
    from_position: 0,
    offsets: [],
    choice: CHOICE,
    books,
    onRejected: () => undefined,
  })
  for (const [position, entry] of entries.entries()) {
    batcher.add({ ...entry, position, next: position + 1, exchange_code: 1 })
  }
  const { gaps } = batcher.seal(entries.length)
  const served = ['AUSDT', 'BUSDT'].filter(
    (symbol) => books.book('binance-futures', symbol) !== undefined,
  )
  return {
    served: served.join(' '),
    gaps: gaps.map(({ symbol, cause, from_id, to_id }) =>
      [symbol, cause, from_id, to_id].join(' '),
    ),
    wanted: wanted.slice(2).join(' '),
  }
}

const garbled = text(
  400,
  '{"stream":"ausdt@depth@100ms","data":{"e":"depthUpdate","s":"AUSDT"}}',
  3,
)

for (const [name, entries, expected] of [
  ['nothing is missing', [], { served: 'AUSDT BUSDT', gaps: [], wanted: '' }],
  [
    'a diff is missing',
    [diff('AUSDT', 40, 50, 500)],
    { served: 'BUSDT', gaps: ['AUSDT sequence 30 50'], wanted: '' },
  ],
  [
    'a diff is missing, and two have come since',
    [diff('AUSDT', 40, 50, 500), diff('AUSDT', 50, 60, 600)],
    { served: 'BUSDT', gaps: ['AUSDT sequence 30 50'], wanted: 'AUSDT' },
  ],
  [
    'a diff is missing, and a snapshot has restored the book',
    [diff('AUSDT', 40, 50, 500), diff('AUSDT', 50, 60, 600), snapshot('AUSDT', 55, 650)],
    { served: 'AUSDT BUSDT', gaps: ['AUSDT sequence 30 50'], wanted: 'AUSDT' },
  ],
  [
    'two diffs are swapped: the book recovers without a snapshot, and the gap is recorded',
    [diff('AUSDT', 40, 50, 500), diff('AUSDT', 30, 40, 400)],
    { served: 'AUSDT BUSDT', gaps: ['AUSDT sequence 30 50'], wanted: '' },
  ],
  [
    'a new socket is ahead of the old one, which still delivers what is in between',
    [diff('AUSDT', 40, 50, 500, 9), diff('AUSDT', 30, 40, 500)],
    { served: 'AUSDT BUSDT', gaps: [], wanted: '' },
  ],
  [
    'an unreadable diff',
    [garbled, diff('AUSDT', 40, 50, 500)],
    { served: 'BUSDT', gaps: ['AUSDT rejected 30 50'], wanted: '' },
  ],
  [
    'the socket is down: no gap is known yet, and no book is served',
    [mark(400, { kind: 'deaf', cause: 'disconnect', streams: DEPTH })],
    { served: 'BUSDT', gaps: [], wanted: '' },
  ],
  [
    'the socket was down and nothing happened meanwhile',
    [
      mark(400, { kind: 'deaf', cause: 'disconnect', streams: DEPTH }),
      diff('AUSDT', 30, 40, 900, 9),
    ],
    { served: 'AUSDT BUSDT', gaps: [], wanted: '' },
  ],
  [
    'the socket was down and something happened meanwhile',
    [
      mark(400, { kind: 'deaf', cause: 'disconnect', streams: DEPTH }),
      diff('AUSDT', 70, 80, 900, 9),
    ],
    { served: 'BUSDT', gaps: ['AUSDT disconnect 30 80'], wanted: '' },
  ],
  [
    'the ids are complete but the book would be crossed',
    [diff('AUSDT', 30, 40, 400, 3, { b: [['100.50', '1']] })],
    { served: 'BUSDT', gaps: ['AUSDT sequence 40 40'], wanted: '' },
  ],
] as const satisfies readonly (readonly [
  string,
  readonly Entry[],
  ReturnType<typeof take> | object,
])[]) {
  test(name, () => expect(take([...SYNCED, ...entries])).toEqual(expected))
}
