/** The book of the chart, from messages of the live stream. */
import { expect, test } from 'vitest'
import { bookAfter } from '../../../edge-api/chart/data/live-book.ts'
import type { BookMessage } from '../../../edge-api/client/live.ts'

const stream = { type: 'book', channel: 'book', symbol: 'BTCUSDT', epoch: 'e', seq: 1 } as const
type Levels = readonly (readonly [string, string])[]

/** With what a book needs of a message. */
const message = (part: object): BookMessage =>
  ({ ...stream, prev_seq: null, ...part }) as unknown as BookMessage
const update = (synced: boolean | null, bids: Levels): BookMessage =>
  message({ synced, rows: [{ bids, asks: [] }] })
const whole = (bids: Levels, asks: Levels): BookMessage =>
  message({ synced: true, rows: [], snapshot: { bids, asks } })

const bestBid = (messages: readonly BookMessage[]): number | undefined =>
  messages.reduce<ReturnType<typeof bookAfter>>(bookAfter, undefined)?.bids.top(1)[0]?.[0]

test('updates change the book that a snapshot began, and none before it', () => {
  const first = whole([['10', '1']], [['11', '1']])
  expect(bestBid([update(true, [['12', '1']])])).toBeUndefined()
  expect(bestBid([first, update(true, [['10.5', '2']])])).toBe(10.5)
  expect(bestBid([first, update(true, [['10', '0']])])).toBeUndefined()
})

test.for([
  ['updates are missing', false],
  ['updates come from history, where some may be missing', null],
] as const)('%s: the book is unknown until the next snapshot', ([, synced]) => {
  const first = whole([['10', '1']], [['11', '1']])
  const passed = [first, update(synced, [['9', '1']])]
  expect(bestBid(passed)).toBeUndefined()
  expect(bestBid([...passed, update(true, [['9.5', '1']])])).toBeUndefined()
  expect(bestBid([...passed, whole([['8', '1']], [['9', '1']])])).toBe(8)
})
