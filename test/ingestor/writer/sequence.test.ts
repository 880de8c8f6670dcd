import { describe, expect, test } from 'vitest'
import { type Micros, micros, SECOND_US } from '#core/time.ts'
import {
  carryOn,
  endQuiet,
  expire,
  loseStream,
  resumeQuiet,
} from '../../../ingestor/writer/losses.ts'
import type { GapBounds } from '../../../ingestor/writer/gap-bounds.ts'
import { observe } from '../../../ingestor/writer/sequence.ts'
import {
  firstState,
  OVERLAP_US,
  type SequencedEvent,
  type StreamState,
  unheardState,
} from '../../../ingestor/writer/sequence-state.ts'

const T0 = 1_772_000_000_000_000
const at = (seconds: number): Micros => micros(T0 + seconds * SECOND_US)

/** Event `id` on a socket. By default each id is a millisecond after the previous one. */
function event(id: number, connection = 1, ts_exchange = micros(T0 + id * 1_000)): SequencedEvent {
  return { id, follows: id - 1, connection, ts_exchange, ts_ingest: micros(ts_exchange + 50) }
}

/** A diff with the updates after `follows` up to `id`. */
function change(follows: number, id: number, connection = 1): SequencedEvent {
  return { ...event(id, connection), follows }
}

/** A trade with the fills from `first` to `last`. The clock advances by a minute with each. */
function summed(id: number, first: number, last: number, connection = 1): SequencedEvent {
  return { ...event(id, connection, at(first * 60)), fills: { first, last } }
}

/** An event of a stream whose ids only grow. */
function loose(id: number, connection = 1, ts_exchange?: Micros): SequencedEvent {
  return { ...event(id, connection, ts_exchange), follows: undefined }
}

type Step =
  | SequencedEvent
  | 'disconnect'
  | 'restart'
  | 'silence'
  | { readonly now: Micros }
  | { readonly carried: number }
  | { readonly in_doubt: number }
  | { readonly newest: number | null }

function gapsOf(steps: readonly Step[]): readonly string[] {
  let state: StreamState | undefined
  const gaps: GapBounds[] = []
  for (const step of steps) {
    if (typeof step === 'string') {
      if (state !== undefined) gaps.push(...loseStream(state, step, state.ts_ingest))
    } else if ('carried' in step) {
      if (state !== undefined) carryOn(state, step.carried)
    } else if ('in_doubt' in step) {
      if (state !== undefined)
        gaps.push(...loseStream(state, 'disconnect', at(1), undefined, step.in_doubt))
    } else if ('newest' in step) {
      if (state !== undefined) gaps.push(...endQuiet(state, step.newest, at(2), at(3)))
    } else if ('now' in step) {
      if (state !== undefined) gaps.push(...expire(state, step.now))
    } else if (state === undefined) state = firstState(step)
    else gaps.push(...observe(state, step))
  }
  return gaps.map((gap) => `${gap.cause} ${gap.from_id}-${gap.to_id}`)
}

describe('trades', () => {
  for (const [name, steps, expected] of [
    ['consecutive ids have no gap', [event(1), event(2), event(3)], []],
    ['a jump on one socket is a gap at once', [event(1), event(5)], ['sequence 1-5']],
    [
      'a repeated and a late id change nothing',
      [event(1), event(2), event(2), event(1), event(3)],
      [],
    ],
    ['a reconnect without a lost trade is not a gap', [event(1), 'disconnect', event(2, 2)], []],
    [
      'a reconnect with lost trades is a gap with its cause',
      [event(1), 'disconnect', event(4, 2)],
      ['disconnect 1-4'],
    ],
    [
      'the first cause is kept',
      [event(1), 'disconnect', 'restart', event(4, 2)],
      ['disconnect 1-4'],
    ],
    [
      'a closed gap is not reported again',
      [event(1), 'restart', event(4, 2), event(5, 2), event(6, 2)],
      ['restart 1-4'],
    ],
    [
      'older trades after a reconnect do not close the gap',
      [event(1), event(2), 'disconnect', event(1, 2), event(9, 2)],
      ['disconnect 2-9'],
    ],
    [
      'the last trade after a reconnect does: a later jump is a break on the new socket',
      [event(1), event(2), 'disconnect', event(2, 2), event(9, 2)],
      ['sequence 2-9'],
    ],
    [
      "a renewal: the old socket fills up to the new one's start",
      [event(1), event(4, 2), event(2), event(3), event(5, 2)],
      [],
    ],
    [
      'a renewal: both sockets deliver everything',
      [event(1), event(3, 2), event(4, 2), event(2), event(3), event(4), event(5, 2)],
      [],
    ],
    [
      'a renewal: the old socket passes the gap',
      [event(1), event(4, 2), event(4)],
      ['sequence 1-4'],
    ],
    [
      'a renewal: the old socket jumps inside the gap',
      [event(1), event(6, 2), event(3), event(4), event(5), event(7, 2)],
      ['sequence 1-3'],
    ],
    [
      'a renewal: the new socket jumps too',
      [event(1), event(4, 2), event(9, 2), event(10, 2)],
      ['sequence 1-4', 'sequence 4-9'],
    ],
    [
      'a renewal: the old socket jumps beyond the new one, which delivers the rest',
      [event(1), event(4, 2), event(7), event(5, 2), event(6, 2), event(8)],
      ['sequence 1-4'],
    ],
    [
      'a renewal: neither socket delivers the rest',
      [event(1), event(4, 2), event(7), event(8, 2)],
      ['sequence 1-4', 'sequence 4-7'],
    ],
    [
      'a renewal: a jump that is not filled in time is a gap',
      [event(1), event(4, 2), { now: at(60) }, event(5, 2)],
      ['sequence 1-4'],
    ],
    [
      'a renewal: before the time is over nothing changes',
      [event(1), event(4, 2), { now: micros(T0 + OVERLAP_US) }, event(2), event(3)],
      [],
    ],
    [
      'a disconnect ends the waiting',
      [event(1), event(4, 2), 'disconnect', event(5, 3)],
      ['sequence 1-4'],
    ],
    [
      'a quiet stream: the history ends with the last trade, so nothing was missed',
      [event(1), 'disconnect', { newest: 1 }, 'silence', event(4, 3)],
      ['silence 1-4'],
    ],
    [
      'a quiet stream: newer trades in the history are the gap, including the newest',
      [event(1), 'disconnect', { newest: 4 }, event(3, 2), event(5, 2)],
      ['disconnect 1-5'],
    ],
    [
      'a quiet stream: trades missed after its history was read are a gap as usual',
      [event(1), 'disconnect', { newest: 1 }, event(4, 2), { now: at(60) }],
      ['sequence 1-4'],
    ],
    [
      'a quiet stream: a history that ends before its last trade proves nothing',
      [event(5), 'disconnect', { newest: 4 }, event(9, 2)],
      ['disconnect 5-9'],
    ],
    [
      'a stream that delivered meanwhile: its history proves nothing',
      [event(1), 'disconnect', event(2, 2), { newest: 1 }, event(5, 2)],
      ['sequence 2-5'],
    ],
    [
      'numbers that restart are a gap',
      [event(900), event(1, 1, at(60)), event(2, 1, at(61))],
      ['sequence 900-1'],
    ],
    [
      'numbers that restart after a loss have the cause of the loss',
      [event(900), 'restart', event(1, 2, at(60)), event(2, 2, at(61))],
      ['restart 900-1'],
    ],
  ] as const satisfies readonly (readonly [string, readonly Step[], readonly string[]])[]) {
    test(`${name}`, () => expect(gapsOf(steps)).toEqual(expected))
  }
})

describe('trades that name their fills', () => {
  for (const [name, steps, expected] of [
    [
      'a repeated id with consecutive fills is not a gap',
      [summed(1, 10, 10), summed(2, 11, 12), summed(2, 13, 13), summed(3, 14, 20)],
      [],
    ],
    [
      'a skipped id between consecutive fills is not a gap',
      [summed(1, 10, 10), summed(4, 11, 12), summed(5, 13, 13)],
      [],
    ],
    [
      'ids that fall have restarted, whatever the fills are',
      [summed(900, 10, 10), summed(2, 11, 12), summed(3, 13, 13)],
      ['sequence 900-2'],
    ],
    [
      'a jump of fills without a jump of ids is not a gap',
      [summed(1, 10, 10), summed(2, 31, 32), summed(2, 40, 41), summed(3, 50, 50)],
      [],
    ],
    ['a jump of fills and ids is a gap', [summed(1, 10, 10), summed(4, 12, 12)], ['sequence 1-4']],
    [
      'numbers that restart are a gap, with their fills too',
      [summed(900, 10, 10), { ...summed(1, 1, 1), ts_exchange: at(6_000) }],
      ['sequence 900-1'],
    ],
    [
      'after a loss consecutive fills show that nothing is missing',
      [summed(1, 10, 10), 'disconnect', summed(3, 11, 12, 2)],
      [],
    ],
    [
      'a renewal: both sockets deliver a repeated id',
      [
        summed(1, 10, 10),
        summed(1, 10, 10, 2),
        summed(1, 11, 11),
        summed(1, 11, 11, 2),
        summed(2, 12, 12, 2),
        summed(2, 12, 12),
      ],
      [],
    ],
    [
      'a renewal: the old socket fills up to a skipped id',
      [
        summed(1, 10, 10),
        summed(5, 13, 13, 2),
        summed(2, 11, 11),
        summed(3, 12, 12),
        summed(6, 14, 14, 2),
      ],
      [],
    ],
    [
      'a renewal: what is missing before a repeated id is one gap',
      [
        summed(1, 10, 10),
        summed(5, 20, 20, 2),
        summed(5, 21, 21, 2),
        summed(6, 22, 22),
        summed(7, 23, 23, 2),
      ],
      ['sequence 1-5'],
    ],
  ] as const satisfies readonly (readonly [string, readonly Step[], readonly string[]])[]) {
    test(`${name}`, () => expect(gapsOf(steps)).toEqual(expected))
  }
})

describe('quotes', () => {
  for (const [name, steps, expected] of [
    ['ids that jump are normal', [loose(1), loose(50), loose(900)], []],
    ['lower ids are late', [loose(50), loose(7), loose(51)], []],
    [
      'after a loss the next quote closes a gap',
      [loose(1), 'disconnect', loose(9, 2), loose(12, 2)],
      ['disconnect 1-9'],
    ],
    [
      'an old quote does not close it',
      [loose(8), 'restart', loose(7, 2), loose(9, 2)],
      ['restart 8-9'],
    ],
    [
      'the last quote again on a new socket proves that there is no gap',
      [loose(8), 'restart', loose(7, 2), loose(8, 2), loose(9, 2)],
      [],
    ],
    [
      "a renewal: the old socket reaches the new one's start",
      [
        loose(1),
        loose(7, 2),
        loose(5),
        loose(7),
        { now: at(60) },
        loose(9, 2),
        { carried: 2 },
        loose(12, 2),
      ],
      [],
    ],
    [
      'a renewal: the new socket follows the old one',
      [loose(1), loose(5), loose(5, 2), loose(9, 2), { now: at(60) }, loose(12, 2)],
      [],
    ],
    [
      'a renewal: a quiet stream delivers only on the new socket',
      [loose(1), { carried: 2 }, loose(9, 2), loose(12, 2), { now: at(60) }],
      [],
    ],
    [
      'a renewal: the new socket is dropped',
      [
        loose(1),
        loose(5, 2),
        loose(5),
        loose(9, 2),
        { carried: 1 },
        loose(9),
        loose(12),
        { now: at(60) },
      ],
      [],
    ],
    [
      "a renewal: the old socket died before the new one's start, as we learn later",
      [loose(1), loose(7, 2), loose(8, 2), { in_doubt: 2 }, loose(9, 2)],
      ['disconnect 1-7'],
    ],
    [
      'a renewal: the old socket died, and the new one delivers after we learn it',
      [loose(1), { in_doubt: 2 }, loose(7, 2), loose(8, 2)],
      ['disconnect 1-7'],
    ],
    [
      "a renewal: in doubt after the old socket reached the new one's start",
      [loose(1), loose(7, 2), loose(7), { in_doubt: 2 }, loose(9, 2)],
      [],
    ],
    [
      "a renewal: the old socket never reaches the new one's start",
      [loose(1), loose(7, 2), loose(5), { now: at(60) }, loose(9, 2)],
      ['disconnect 5-7'],
    ],
    [
      'the last quote again on the same socket proves nothing',
      [loose(8), 'silence', loose(8), loose(9)],
      ['silence 8-9'],
    ],
  ] as const satisfies readonly (readonly [string, readonly Step[], readonly string[]])[]) {
    test(`${name}`, () => expect(gapsOf(steps)).toEqual(expected))
  }
})

describe('diffs of a book', () => {
  for (const [name, steps, expected] of [
    ['each names the previous one: no gap', [change(4, 10), change(10, 15), change(15, 40)], []],
    [
      'a diff that names another is a gap at once',
      [change(4, 10), change(15, 40)],
      ['sequence 10-40'],
    ],
    ['a diff that overlaps the last one misses nothing', [change(4, 10), change(7, 15)], []],
    [
      'a repeated diff and a late one change nothing',
      [change(4, 10), change(10, 15), change(10, 15), change(4, 10), change(15, 20)],
      [],
    ],
    [
      'a diff that continues from the loss proves that nothing is missing',
      [change(4, 10), 'disconnect', change(10, 15, 2)],
      [],
    ],
    [
      'a reconnect with lost diffs is a gap with its cause',
      [change(4, 10), 'disconnect', change(12, 15, 2)],
      ['disconnect 10-15'],
    ],
    [
      "a renewal: the old socket fills up to the new one's start",
      [
        change(4, 10),
        change(20, 30, 2),
        change(10, 15),
        change(15, 20),
        change(20, 30),
        change(30, 33, 2),
      ],
      [],
    ],
    [
      'a renewal: the old socket passes the gap',
      [change(4, 10), change(20, 30, 2), change(25, 31)],
      ['sequence 10-30'],
    ],
    [
      'a renewal: the old socket dies before it fills the gap',
      [change(4, 10), change(20, 30, 2), change(10, 15), { now: at(60) }, change(30, 33, 2)],
      ['sequence 15-30'],
    ],
    [
      'numbers that restart are a gap',
      [change(4, 900), { ...change(0, 1), ts_exchange: at(60) }],
      ['sequence 900-1'],
    ],
  ] as const satisfies readonly (readonly [string, readonly Step[], readonly string[]])[]) {
    test(`${name}`, () => expect(gapsOf(steps)).toEqual(expected))
  }
})

test('the gap of a rare stream that is covered again ends now, however late its last event came', () => {
  for (const delay_s of [0, 3, 59]) {
    const state = firstState({ ...loose(1, 1, at(0)), ts_ingest: at(delay_s) })
    loseStream(state, 'disconnect', at(70), at(70))
    expect(resumeQuiet(state, at(100), 9)).toMatchObject([{ to_ts: at(100) }])
    expect(observe(state, loose(2, 9, at(101)))).toEqual([])
    expect(state.ahead).toBeUndefined()
  }
})

test('a rare stream: the socket that covers it again dies while it lags the one that delivers first', () => {
  const state = unheardState(at(0))
  expect(resumeQuiet(state, at(1), 1)).toEqual([])
  expect(observe(state, loose(50, 2, at(50)))).toEqual([])
  expect(observe(state, loose(20, 1, at(20)))).toEqual([])
  expect(loseStream(state, 'disconnect', at(60), at(60), 2)).toMatchObject([
    { from_id: 20, to_id: 50 },
  ])
})

test('a gap never ends before it begins, even if the time of trades goes back', () => {
  const state = firstState(event(1, 1, at(10)))
  const [gap] = observe(state, event(5, 1, at(9)))
  expect(gap).toMatchObject({ from_ts: at(10), to_ts: at(10) })
})

test('two sockets that together deliver every trade, in any interleaving, give no gap', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
  const random = mulberry32(seed)
  for (let round = 0; round < 2_000; round++) {
    // The new socket starts somewhere. From there on both deliver everything, each in order.
    const join = 1 + Math.floor(random() * 10)
    const old_ids = Array.from({ length: 20 }, (_, index) => index + 1)
    const new_ids = old_ids.filter((id) => id >= join)
    const steps: SequencedEvent[] = [event(old_ids.shift()!, 1)]
    while (old_ids.length > 0 || new_ids.length > 0) {
      const takes_old = new_ids.length === 0 || (old_ids.length > 0 && random() < 0.5)
      steps.push(takes_old ? event(old_ids.shift()!, 1) : event(new_ids.shift()!, 2))
    }
    const ids = steps.map((step) => `${step.connection}:${step.id}`).join(' ')
    // A gap would appear only if the old socket passed it. It delivers everything, so never.
    expect(gapsOf(steps), `seed ${seed}, ${ids}`).toEqual([])
  }
})

test('dropped trades on one socket give exactly those gaps', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
  const random = mulberry32(seed)
  for (let round = 0; round < 2_000; round++) {
    const kept = Array.from({ length: 40 }, (_, index) => index + 1).filter(
      (id) => id === 1 || random() < 0.7,
    )
    const expected = kept.flatMap((id, index) => {
      const before = kept[index - 1]
      return before === undefined || id === before + 1 ? [] : [`sequence ${before}-${id}`]
    })
    expect(gapsOf(kept.map((id) => event(id))), `seed ${seed}`).toEqual(expected)
  }
})

function mulberry32(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
