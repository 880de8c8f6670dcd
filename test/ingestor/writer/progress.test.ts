import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import { createBatcher } from '../../../ingestor/writer/batcher.ts'
import { createFollowCounts } from '../../../ingestor/writer/counts.ts'
import { Progress } from '../../../ingestor/writer/progress.ts'

const START_US = 1_772_000_000_000_000
const resumed = { position: 0, offsets: [], replaced_tape_id: undefined }

/** A batch whose first frame arrived this many milliseconds after the start. */
function batchOf(arrived_ms: number, to_position: number) {
  const batch = createBatcher({
    from_position: 0,
    offsets: [],
    choice: { channels: ['book_ticker'], trade_stream: 'aggTrade' },
    onRejected: () => undefined,
  }).seal(to_position)
  return { ...batch, oldest_ts_ingest: micros(START_US + arrived_ms * 1_000) }
}

function stand() {
  let now_ms = 0
  const progress = new Progress(() => micros(START_US + now_ms * 1_000))
  progress.resume(resumed)
  return { progress, at: (ms: number) => (now_ms = ms) }
}

test("lag is the longest wait of the last second's commits, even if nothing is pending any more", () => {
  const { progress, at } = stand()
  const slow = batchOf(0, 100)
  const quick = batchOf(400, 200)
  progress.onSealed(slow)
  at(300)
  progress.onCommitted(slow, createFollowCounts())
  progress.onSealed(quick)
  at(450)
  progress.onCommitted(quick, createFollowCounts())
  expect(progress.status().lag_ms).toBe(300)
  at(1_350)
  expect(progress.status().lag_ms).toBe(50)
  at(1_500)
  expect(progress.status().lag_ms).toBe(0)
})

test('lag grows while a commit does not finish', () => {
  const { progress, at } = stand()
  progress.onSealed(batchOf(0, 100))
  at(2_500)
  expect(progress.status().lag_ms).toBe(2_500)
})

test('lag grows while Postgres is away, even without a batch in progress', () => {
  const { progress, at } = stand()
  progress.lose()
  at(700)
  expect(progress.status().lag_ms).toBe(700)
  progress.resume(resumed)
  expect(progress.status().lag_ms).toBe(0)
})

test('a clock that is set back gives no negative lag', () => {
  const { progress, at } = stand()
  const batch = batchOf(0, 100)
  progress.onSealed(batch)
  at(-5_000)
  progress.onCommitted(batch, createFollowCounts())
  expect(progress.status().lag_ms).toBe(0)
})

test('a commit whose answer was lost counts once the position shows it, however often it is sent again', () => {
  const { progress } = stand()
  const counts = createFollowCounts()
  counts.rows.trades = 5
  const batch = batchOf(0, 100)
  const rowsAfter = (position: number): number => {
    progress.lose()
    progress.resume({ ...resumed, position })
    return progress.status().counts.rows.trades
  }
  progress.onStored(batch, counts)
  // That transaction still runs.
  expect(rowsAfter(0)).toBe(0)
  progress.onStored(batch, counts)
  progress.onRolledBack()
  expect(rowsAfter(100)).toBe(5)
  expect(rowsAfter(100)).toBe(5)
})

test('what Postgres refused counts for nobody, though another process moved the position there', () => {
  const { progress } = stand()
  const counts = createFollowCounts()
  counts.rows.trades = 5
  progress.onStored(batchOf(0, 100), counts)
  progress.onRolledBack()
  progress.lose()
  progress.resume({ ...resumed, position: 100 })
  expect(progress.status().counts.rows.trades).toBe(0)
})
