/** What alerts about the feed look at. */
import { expect, test } from 'vitest'
import {
  createAgeWatch,
  medianDelayMs,
  silentMs,
} from '../../../ingestor/control/health-metrics.ts'
import type { StreamView } from '../../../ingestor/control/view.ts'

function stream(view: Partial<StreamView>): StreamView {
  return {
    symbol: 'BTCUSDT',
    channel: 'trades',
    stream: 'btcusdt@aggTrade',
    is_heard: true,
    frame_count: 1,
    last_frame_at: null,
    silent_ms: null,
    last_event_at: null,
    delay_ms: null,
    lost: null,
    refusal: null,
    is_book_in_sequence: null,
    ...view,
  }
}

test('the feed is as silent as its loudest stream; before the first frame nobody knows', () => {
  expect(silentMs([stream({ silent_ms: 900 }), stream({ silent_ms: 40 }), stream({})])).toBe(40)
  expect(silentMs([stream({})])).toBeUndefined()
})

test('the delay is the median of recent events: one odd or old stream does not move it', () => {
  const recent = [3, 5, 4, 90_000].map((delay_ms) => stream({ silent_ms: 10, delay_ms }))
  const old = [1, 2, 3, 4, 5].map(() => stream({ silent_ms: 61_000, delay_ms: -5_000 }))
  expect(medianDelayMs([...recent, ...old])).toBe(5)
  expect(medianDelayMs(recent.slice(0, 2))).toBeUndefined()
})

test('an age counts from the first look, and begins anew after a recovery', () => {
  let now_ms = 1_000
  const watch = createAgeWatch(() => now_ms)
  expect(watch.longestMs(['a'])).toBe(0)
  now_ms = 4_000
  expect(watch.longestMs(['a', 'b'])).toBe(3_000)
  now_ms = 5_000
  expect(watch.longestMs(['b'])).toBe(1_000)
  expect(watch.longestMs([])).toBe(0)
  now_ms = 9_000
  expect(watch.longestMs(['a'])).toBe(0)
})
