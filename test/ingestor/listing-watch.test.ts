import { expect, test } from 'vitest'
import { OperatorError } from '#core/errors.ts'
import { silentLogger } from '#core/node/log.ts'
import { watchListing } from '../../ingestor/listing-watch.ts'
import { FakeTimers } from './transport/fake-timers.ts'

const HOUR_MS = 3_600_000

function stand(read: () => Promise<void> = async () => undefined) {
  const timers = new FakeTimers()
  const reads_ms: number[] = []
  const watch = watchListing({
    interval_ms: HOUR_MS,
    timers,
    log: silentLogger,
    read() {
      reads_ms.push(timers.now_ms())
      return read()
    },
  })
  /** Advances in steps, so the effects of a read can run. */
  const pass = async (duration_ms: number): Promise<void> => {
    for (let left_ms = duration_ms; left_ms > 0; left_ms -= 1_000) {
      timers.advance(Math.min(1_000, left_ms))
      for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    }
  }
  return { watch, reads_ms, pass }
}

test('without announcements the listing is read once per interval', async () => {
  const { reads_ms, pass } = stand()
  await pass(2.5 * HOUR_MS)
  expect(reads_ms).toEqual([HOUR_MS, 2 * HOUR_MS])
})

test('announcements on four sockets cause one read soon; the next regular read is an interval later', async () => {
  const { watch, reads_ms, pass } = stand()
  await pass(60_000)
  for (let socket = 0; socket < 4; socket++) watch.noteNews()
  await pass(HOUR_MS + 10_000)
  expect(reads_ms).toEqual([62_000, 62_000 + HOUR_MS])
})

test('endless announcements cause paced reads', async () => {
  const { watch, reads_ms, pass } = stand()
  for (let second = 0; second < 60; second++) {
    watch.noteNews()
    await pass(1_000)
  }
  expect(reads_ms).toEqual([2_000, 12_000, 22_000, 32_000, 42_000, 52_000])
})

test('an announcement during a read causes another read after it', async () => {
  const answers: (() => void)[] = []
  const { watch, reads_ms, pass } = stand(() => new Promise((resolve) => answers.push(resolve)))
  watch.noteNews()
  await pass(3_000)
  watch.noteNews()
  await pass(5_000)
  expect(reads_ms).toEqual([2_000])
  answers[0]!()
  await pass(20_000)
  expect(reads_ms).toHaveLength(2)
})

test('a failed read is retried after a minute and stops nothing', async () => {
  const { reads_ms, pass } = stand(() => Promise.reject(new OperatorError('rest_failed', 'down')))
  await pass(HOUR_MS + 125_000)
  expect(reads_ms).toEqual([HOUR_MS, HOUR_MS + 60_000, HOUR_MS + 120_000])
})

test('after stop nothing is read', async () => {
  const { watch, reads_ms, pass } = stand()
  watch.noteNews()
  watch.stop()
  watch.noteNews()
  await pass(2 * HOUR_MS)
  expect(reads_ms).toEqual([])
})
