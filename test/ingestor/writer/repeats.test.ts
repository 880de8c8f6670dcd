import { expect, test } from 'vitest'
import { type Micros, micros } from '#core/time.ts'
import { createRepeatWatch } from '../../../ingestor/writer/repeats.ts'
import { firstState, unheardState } from '../../../ingestor/writer/sequence-state.ts'

const T0 = 1_772_000_000_000_000
const at = (ms: number): Micros => micros(T0 + ms * 1_000)

/** From `connection id ms` of every frame to `id@ms` of its row, or `-`. */
function rowsOf(
  frames: readonly (readonly [number, number, number])[],
  before?: { id: number; ms: number },
): string {
  const state =
    before &&
    firstState({
      id: before.id,
      follows: undefined,
      restarts_numbering: false,
      ts_exchange: at(before.ms),
      ts_ingest: at(before.ms),
      connection: 9,
    })
  const watch = createRepeatWatch(state)
  return frames
    .map(([connection, id, ms]) => {
      const ts = watch.take({ id, connection, ts: at(ms) })
      return ts === undefined ? '-' : `${id}@${(ts - T0) / 1_000}`
    })
    .join(' ')
}

for (const [name, frames, expected, before] of [
  [
    'one socket: everything is new',
    [
      [1, 5, 0],
      [1, 9, 10],
      [1, 12, 20],
    ],
    '5@0 9@10 12@20',
  ],
  [
    'the same frame twice on one socket',
    [
      [1, 5, 0],
      [1, 9, 10],
      [1, 9, 11],
    ],
    '5@0 9@10 -',
  ],
  [
    'two sockets in step: each event is one row, with the time of its first arrival',
    [
      [1, 5, 0],
      [2, 5, 3],
      [2, 9, 10],
      [1, 9, 12],
      [1, 12, 20],
      [2, 12, 21],
    ],
    '5@0 - 9@10 - 12@20 -',
  ],
  [
    'the old socket lags behind the new one: late events come first in time too',
    [
      [1, 5, 0],
      [2, 20, 10],
      [1, 9, 12],
      [1, 20, 14],
      [2, 30, 16],
      [1, 30, 18],
    ],
    '5@0 20@10 9@10 - 30@16 -',
  ],
  [
    'the new socket takes over for good',
    [
      [1, 5, 0],
      [2, 5, 3],
      [2, 9, 10],
      [2, 12, 20_000],
      [2, 13, 20_001],
    ],
    '5@0 - 9@10 12@20000 13@20001',
  ],
  [
    'two replacements in a row',
    [
      [1, 5, 0],
      [2, 5, 1],
      [3, 5, 2],
      [3, 6, 3],
      [2, 6, 4],
      [1, 6, 5],
      [4, 6, 6],
      [4, 7, 7],
    ],
    '5@0 - - 6@3 - - - 7@7',
  ],
  [
    'an event lost by the first socket and delivered by the second is new, before later ids',
    [
      [1, 5, 0],
      [1, 9, 10],
      [1, 20, 12],
      [2, 5, 13],
      [2, 7, 14],
      [2, 9, 15],
      [2, 12, 16],
      [2, 20, 17],
      [1, 30, 18],
      [2, 30, 19],
    ],
    '5@0 9@10 20@12 - 7@10 - 12@12 - 30@18 -',
  ],
  [
    'an event that arrived late on the second socket is a repetition on the third',
    [
      [1, 5, 0],
      [1, 20, 12],
      [2, 5, 13],
      [2, 9, 15],
      [3, 9, 16],
      [3, 20, 17],
      [2, 20, 18],
    ],
    '5@0 20@12 - 9@12 - - -',
  ],
  [
    'after a restart events from before it are known',
    [
      [1, 40, 5],
      [1, 41, 6],
    ],
    '- 41@6',
    { id: 40, ms: 0 },
  ],
  [
    'an older recording is not a repetition',
    [
      [1, 10, -60_000],
      [1, 11, -59_990],
      [1, 40, -59_000],
    ],
    '10@-60000 11@-59990 40@-59000',
    { id: 40, ms: 0 },
  ],
  [
    'a new numbering',
    [
      [1, 900, 0],
      [1, 1, 60_000],
      [1, 2, 60_001],
    ],
    '900@0 1@60000 2@60001',
  ],
] as const) {
  test(name, () => expect(rowsOf(frames, before)).toBe(expected))
}

test('a stream without events has no repetitions', () => {
  const watch = createRepeatWatch(unheardState(at(0)))
  expect(watch.take({ id: 3, connection: 1, ts: at(1) })).toBe(at(1))
})

test('whatever two sockets lose, each id that one of them delivered is one row, ordered by id', () => {
  let seed = 11
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  for (let round = 0; round < 200; round++) {
    const ids = Array.from({ length: 60 }, (_, index) => 10 + index * 3)
    const queues = [0, 1].map(() => ids.filter((id) => id === 10 || random() < 0.8))
    const brought = new Set(queues.flat())
    const watch = createRepeatWatch(undefined)
    const rows: { id: number; ts: number }[] = []
    for (let ms = 0; queues.some((queue) => queue.length > 0); ms++) {
      const connection = random() < 0.5 ? 0 : 1
      const id = queues[connection]!.shift()
      if (id === undefined) continue
      const ts = watch.take({ id, connection, ts: at(ms) })
      if (ts !== undefined) rows.push({ id, ts })
    }
    const ordered = rows.toSorted((a, b) => a.ts - b.ts || a.id - b.id).map(({ id }) => id)
    expect(ordered, `round ${round}`).toEqual(ids.filter((id) => brought.has(id)))
  }
})

test('whatever two sockets repeat and however far one lags, each id is one row, ordered by id', () => {
  let seed = 7
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  for (let round = 0; round < 200; round++) {
    const ids = Array.from({ length: 60 }, (_, index) => 10 + index * 3)
    const from = Math.floor(random() * 40)
    const queues = [ids.slice(0, 50), ids.slice(from)]
    const watch = createRepeatWatch(undefined)
    const rows: { id: number; ts: number }[] = []
    for (let ms = 0; queues.some((queue) => queue.length > 0); ms++) {
      const connection = random() < 0.5 ? 0 : 1
      const id = queues[connection]!.shift()
      if (id === undefined) continue
      const ts = watch.take({ id, connection, ts: at(ms) })
      if (ts !== undefined) rows.push({ id, ts })
    }
    const ordered = rows.toSorted((a, b) => a.ts - b.ts || a.id - b.id).map(({ id }) => id)
    expect(ordered, `round ${round}`).toEqual(ids)
  }
})
