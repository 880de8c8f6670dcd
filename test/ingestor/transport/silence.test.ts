import { expect, test } from 'vitest'
import { DEFAULT_SETTINGS } from '../../../ingestor/transport/settings.ts'
import {
  beat,
  createPulse,
  missesFrames,
  neverSpoke,
  noteAlarm,
  restartPulse,
  type Pulse,
} from '../../../ingestor/transport/silence.ts'
import { createSocketStream } from '../../../ingestor/transport/socket-stream.ts'
import { createWatch } from '../../../ingestor/transport/watch.ts'

/** Frames at a steady pace, checked once a second. */
function speak(pulse: Pulse, frames_per_s: number, duration_s: number): void {
  let carry = 0
  for (let second = 0; second < duration_s; second++) {
    carry += frames_per_s
    beat(pulse, Math.floor(carry), 1_000, DEFAULT_SETTINGS)
    carry -= Math.floor(carry)
  }
}

/** Seconds of silence until the alarm; undefined if there is none in a day. */
function alarmAfter(pulse: Pulse): number | undefined {
  for (let second = 1; second <= 86_400; second++) {
    beat(pulse, 0, 1_000, DEFAULT_SETTINGS)
    if (missesFrames(pulse, false, DEFAULT_SETTINGS)) return second
  }
  return undefined
}

for (const [name, frames_per_s, expected_s] of [
  ['BTC at 100 a second', 100, 15],
  ['an altcoin at 5 a second', 5, 15],
  ['one a second', 1, 62],
  ['one in three seconds', 1 / 3, undefined],
  ['a tail symbol at one a minute', 1 / 60, undefined],
] as const) {
  test(`silence after an hour of ${name}: ${expected_s ?? 'never any'} s to the alarm`, () => {
    const pulse = createPulse()
    speak(pulse, frames_per_s, 3_600)
    expect(alarmAfter(pulse)).toBe(expected_s)
  })
}

test('a short burst on a quiet symbol does not turn the quiet after it into an alarm at once', () => {
  const pulse = createPulse()
  speak(pulse, 1 / 30, 3_600)
  speak(pulse, 20, 10)
  expect(alarmAfter(pulse) ?? Infinity).toBeGreaterThan(60)
})

test('a class without a frame has no rate: ten streams get a minute, fewer get five', () => {
  const pulse = createPulse()
  beat(pulse, 0, 59_000, DEFAULT_SETTINGS)
  expect(neverSpoke(pulse, 10, false, DEFAULT_SETTINGS)).toBe(false)
  beat(pulse, 0, 1_000, DEFAULT_SETTINGS)
  expect(neverSpoke(pulse, 10, false, DEFAULT_SETTINGS)).toBe(true)
  expect(neverSpoke(pulse, 9, false, DEFAULT_SETTINGS)).toBe(false)
  beat(pulse, 0, 240_000, DEFAULT_SETTINGS)
  expect(neverSpoke(pulse, 9, false, DEFAULT_SETTINGS)).toBe(true)
  beat(pulse, 1, 1_000, DEFAULT_SETTINGS)
  expect(neverSpoke(pulse, 10, false, DEFAULT_SETTINGS)).toBe(false)
})

test('rare events: many streams get an hour before silence is an alarm, few never alarm', () => {
  const pulse = createPulse()
  beat(pulse, 0, 3_599_000, DEFAULT_SETTINGS)
  expect(neverSpoke(pulse, 200, true, DEFAULT_SETTINGS)).toBe(false)
  beat(pulse, 0, 1_000, DEFAULT_SETTINGS)
  expect(neverSpoke(pulse, 200, true, DEFAULT_SETTINGS)).toBe(true)
  beat(pulse, 0, 86_400_000, DEFAULT_SETTINGS)
  expect(neverSpoke(pulse, 9, true, DEFAULT_SETTINGS)).toBe(false)
})

for (const [name, is_rare, expected] of [
  ['of quotes is an alarm', false, 12],
  ['of forced orders is normal', true, 0],
] as const) {
  test(`silence after a cascade ${name}`, () => {
    const watch = createWatch(DEFAULT_SETTINGS)
    const entries = Array.from({ length: 12 }, (_, index) => {
      const stream = {
        name: `s${index}`,
        symbol: `S${index}`,
        channel: 'liquidations',
        is_rare,
      } as const
      return { state: createSocketStream(stream), frame_count: 0, seen_count: 0 }
    })
    const link = { streams: new Map(entries.map((entry) => [entry.state.stream.name, entry])) }
    const suspects = new Set<string>()
    for (let second = 0; second < 900; second++) {
      if (second < 300) for (const entry of entries) entry.frame_count += 1
      for (const state of watch.look(link, 1_000)) suspects.add(state.stream.name)
    }
    expect(suspects.size).toBe(expected)
  })
}

for (const [name, resting_count, silent, expected] of [
  ['only those with sessions: no alarm', 4, (index: number) => index < 4, 0],
  ['one without sessions: an alarm', 4, (index: number) => index === 11, 1],
  ['all of them at once: the socket is dead', 4, () => true, 12],
  ['nothing but markets with sessions: they closed', 12, () => true, 0],
] as const) {
  test(`twelve quotes of which ${resting_count} may rest, and silence: ${name}`, () => {
    const watch = createWatch(DEFAULT_SETTINGS)
    const entries = Array.from({ length: 12 }, (_, index) => {
      const stream = { name: `s${index}`, symbol: `S${index}`, channel: 'book_ticker' } as const
      return {
        state: createSocketStream(stream, index < resting_count),
        frame_count: 0,
        seen_count: 0,
      }
    })
    const link = { streams: new Map(entries.map((entry) => [entry.state.stream.name, entry])) }
    const suspects = new Set<string>()
    for (let second = 0; second < 400; second++) {
      for (const [index, entry] of entries.entries()) {
        if (second < 300 || !silent(index)) entry.frame_count += 5
      }
      for (const state of watch.look(link, 1_000)) suspects.add(state.stream.name)
    }
    expect(suspects.size).toBe(expected)
  })
}

test('every alarm doubles the patience, a quiet hour halves it, a new socket keeps it', () => {
  const pulse = createPulse()
  const delays: (number | undefined)[] = []
  for (let alarm = 0; alarm < 3; alarm++) {
    speak(pulse, 100, 600)
    delays.push(alarmAfter(pulse))
    noteAlarm(pulse)
    restartPulse(pulse)
  }
  // A little less than twice and four times: ten minutes passed between the alarms.
  expect(delays[1]! / delays[0]!).toBeGreaterThan(1.7)
  expect(delays[2]! / delays[0]!).toBeGreaterThan(3)
  speak(pulse, 100, 4 * 3_600)
  expect(alarmAfter(pulse)).toBeLessThan(delays[1]!)
})

test('patience is bounded: alarms continue, however often they were false', () => {
  const pulse = createPulse()
  for (let alarm = 0; alarm < 50; alarm++) noteAlarm(pulse)
  expect(pulse.patience).toBeLessThanOrEqual(64)
})
