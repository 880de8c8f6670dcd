import { expect, test } from 'vitest'
import { createRefusedStreams } from '../../../ingestor/transport/refused-streams.ts'
import { DEFAULT_SETTINGS } from '../../../ingestor/transport/settings.ts'
import { createSocketStream } from '../../../ingestor/transport/socket-stream.ts'

const TICK_MS = 1_000
const stream = { name: 'a', symbol: 'A', channel: 'trades' } as const

test('a refused stream is requested again after 1 minute, then 2, 4 and so on, up to an hour', () => {
  const refused = createRefusedStreams(DEFAULT_SETTINGS)
  refused.note(createSocketStream(stream))
  const pauses_min: number[] = []
  let waited_ms = 0
  while (pauses_min.length < 9) {
    waited_ms += TICK_MS
    for (const state of refused.due(TICK_MS)) {
      pauses_min.push(waited_ms / 60_000)
      waited_ms = 0
      refused.note(state)
    }
  }
  expect(pauses_min).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
})

test('one that waits for its answer is not due, and one that was accepted starts from scratch', () => {
  const refused = createRefusedStreams({ refused_ms_min: 10, refused_ms_max: 100 })
  const state = createSocketStream(stream)
  refused.note(state)
  expect(refused.due(9)).toEqual([])
  expect(refused.due(1)).toEqual([state])
  expect(refused.due(1_000)).toEqual([])
  refused.note(state)
  expect(refused.due(19)).toEqual([])
  refused.forget('a')
  expect(refused.due(1_000)).toEqual([])
  refused.note(state)
  expect(refused.due(10)).toEqual([state])
})
