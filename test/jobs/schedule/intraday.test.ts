import { expect, test, vi } from 'vitest'
import { createIntraday } from '../../../jobs/schedule/intraday.ts'

test('after a build comes a rest of four times its length, whatever is configured', async () => {
  vi.useFakeTimers()
  const intraday = createIntraday({
    intraday_features_s: 60,
    now: () => Date.parse('2026-03-01T12:00:00Z'),
  })
  const asked: number[] = []
  const build = (minutes: number): Promise<void> =>
    intraday.note(
      { intraday: true },
      () => new Promise((done) => setTimeout(done, minutes * 60_000)),
    )
  intraday.start((payload) => {
    expect(payload).toEqual({ date: '2026-03-01', intraday: true })
    asked.push(performance.now() / 60_000)
    void build(asked.length === 1 ? 0.1 : 1)
  })
  const began = performance.now() / 60_000
  await vi.advanceTimersByTimeAsync(25 * 60_000)
  intraday.stop()
  expect(asked.map((minute) => Math.round(minute - began))).toEqual([1, 2, 7, 12, 17, 22])
  // A nightly build needs no rest.
  await intraday.note({}, () => Promise.resolve())
  vi.useRealTimers()
})
