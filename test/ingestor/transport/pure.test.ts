/** The small pure parts: planning, pacing, the clock, the weight budget. */
import { describe, expect, test } from 'vitest'
import { backoffMs, retryAfterMs } from '#core/waiting.ts'
import { createClock } from '../../../ingestor/transport/clock.ts'
import { createConnectBudget } from '../../../ingestor/transport/pacing.ts'
import { placeStreams } from '../../../ingestor/transport/stream-placement.ts'
import { createWeightBudget } from '../../../ingestor/transport/weight-budget.ts'

describe('plan', () => {
  for (const [name, loads, count, per_socket_max, expected] of [
    ['nothing', [], 0, 200, []],
    ['one socket suffices', [], 3, 3, [0, 0, 0]],
    ['one too many: the load is halved, neighbours apart', [], 4, 3, [0, 1, 0, 1]],
    ['room in old sockets is used first, the emptiest first', [3, 1], 3, 4, [1, 1, 0]],
    ['new sockets only for what does not fit', [4, 3], 3, 4, [2, 2, 2]],
    ['an overfull socket takes nothing', [9], 1, 4, [1]],
  ] as const) {
    test(`placing streams: ${name}`, () => {
      expect(placeStreams(loads, count, per_socket_max)).toEqual(expected)
    })
  }

  test('no socket gets more than its maximum, and none is opened without need', () => {
    for (let count = 0; count < 60; count++) {
      for (const loads of [[], [7], [2, 7, 0], [7, 7]] as const) {
        const totals: number[] = [...loads]
        for (const index of placeStreams(loads, count, 7)) totals[index] = (totals[index] ?? 0) + 1
        expect(Math.max(0, ...totals)).toBeLessThanOrEqual(7)
        const sum = totals.reduce((all, one) => all + one, 0)
        expect(totals.length).toBe(Math.max(loads.length, Math.ceil(sum / 7)))
      }
    }
  })
})

describe('pacing', () => {
  const settings = { backoff_base_ms: 500, backoff_cap_ms: 30_000 }

  test('back-off is jittered over the whole range, doubles, and stops at the cap', () => {
    const most = (failures: number): number => backoffMs(failures, settings, () => 1)
    expect([0, 1, 2, 3, 5].map(most)).toEqual([500, 1_000, 2_000, 4_000, 16_000])
    expect([6, 7, 5_000].map(most)).toEqual([30_000, 30_000, 30_000])
    expect(backoffMs(3, settings, () => 0)).toBe(0)
    expect(backoffMs(3, settings, () => 0.25)).toBe(1_000)
  })

  test('the budget of attempts slides: one is free when the oldest is five minutes old', () => {
    const budget = createConnectBudget(2)
    expect(budget.take(0)).toBe(0)
    expect(budget.take(100_000)).toBe(0)
    expect(budget.take(200_000)).toBe(100_000)
    expect(budget.take(299_999)).toBe(1)
    expect(budget.take(300_000)).toBe(0)
    expect(budget.take(300_000)).toBe(100_000)
  })

  test('Retry-After is seconds, and nothing else', () => {
    for (const header of [undefined, null, '', '0', '-5', 'Tue, 03 Jun']) {
      expect(retryAfterMs(header)).toBe(0)
    }
    expect(retryAfterMs('7')).toBe(7_000)
    expect(retryAfterMs('999999999')).toBe(86_400_000)
  })
})

interface Setup {
  readonly clock: () => number
  readonly set: (wall: number, monotonic: number) => void
  readonly steps: number[]
}

function setup(): Setup {
  const time = { wall: 1_785_000_000_000, monotonic: 5 }
  const steps: number[] = []
  const clock = createClock({
    wall_ms: () => Math.floor(time.wall),
    monotonic_ms: () => time.monotonic,
    onStep: (step_ms) => steps.push(Math.round(step_ms)),
  })
  const set = (wall: number, monotonic: number): void => {
    time.wall = wall
    time.monotonic = monotonic
  }
  return { clock: () => clock.now(), set, steps }
}

describe('clock', () => {
  test('between two milliseconds of the wall clock the monotonic clock interpolates', () => {
    const { clock, set, steps } = setup()
    const first = clock()
    set(1_785_000_000_000.25, 5.25)
    expect(clock() - first).toBe(250)
    set(1_785_000_003_600.75, 3_605.75)
    expect(clock() - first).toBe(3_600_750)
    expect(steps).toEqual([])
  })

  test('stamps of one moment differ and ascend', () => {
    const { clock } = setup()
    const stamps = Array.from({ length: 50 }, clock)
    expect(stamps).toEqual(stamps.map((_, index) => stamps[0]! + index))
  })

  test('stamps of what arrived together follow each other, and the next reading follows them', () => {
    const clock = createClock({ wall_ms: () => 1_785_000_000_000, monotonic_ms: () => 5 })
    const first = clock.now()
    const stamps = [clock.again(), clock.again(), clock.now(), clock.again()]
    expect(stamps).toEqual([1, 2, 3, 4].map((us) => first + us))
  })

  test('a step of the wall clock, back or forth, is followed at once and reported', () => {
    const { clock, set, steps } = setup()
    set(1_785_000_060_000, 6)
    expect(Math.abs(clock() / 1_000 - 1_785_000_060_000)).toBeLessThan(1)
    set(1_784_999_000_000, 7)
    expect(Math.abs(clock() / 1_000 - 1_784_999_000_000)).toBeLessThan(1)
    expect(steps).toEqual([59_999, -1_060_001])
  })

  test('a pause between reading the two clocks is not a step', () => {
    const readings = [1_000_000, 1_000_000, 1_000_500, 1_000_000.1]
    let count = 0
    const steps: number[] = []
    const clock = createClock({
      wall_ms: () => Math.floor(readings[count++] ?? 1_000_000.2),
      monotonic_ms: () => 10,
      onStep: (step_ms) => steps.push(step_ms),
    })
    expect(Math.abs(clock.now() - 1_000_000_000)).toBeLessThan(1_000)
    expect(Math.abs(clock.now() - 1_000_000_000)).toBeLessThan(1_000)
    expect(steps).toEqual([])
  })

  test('the real clock agrees with the system to a millisecond or two', () => {
    const clock = createClock()
    for (let reading = 0; reading < 1_000; reading++) {
      const before_ms = Date.now()
      const now_ms = clock.now() / 1_000
      expect(now_ms).toBeGreaterThan(before_ms - 2)
      expect(now_ms).toBeLessThan(Date.now() + 3)
    }
  })
})

describe('weight budget', () => {
  test('once a share is spent within sixty seconds, requests wait for the oldest to expire', () => {
    const budget = createWeightBudget(100)
    expect(budget.take(40, 'normal', 0)).toBe(0)
    expect(budget.take(40, 'normal', 10_000)).toBe(0)
    expect(budget.take(1, 'normal', 20_000)).toBe(40_000)
    expect(budget.take(15, 'high', 20_000)).toBe(0)
    expect(budget.take(1, 'high', 20_000)).toBe(40_000)
    expect(budget.take(20, 'normal', 60_000)).toBe(0)
  })

  test('low priority leaves half of the weight to the others', () => {
    const budget = createWeightBudget(100)
    expect(budget.take(50, 'low', 0)).toBe(0)
    expect(budget.take(1, 'low', 0)).toBe(60_000)
    expect(budget.take(30, 'normal', 0)).toBe(0)
  })

  test('weight that others behind the same address spent counts, as the header reports', () => {
    const budget = createWeightBudget(100)
    budget.take(1, 'normal', 0)
    budget.noteUsed(79, 100)
    expect(budget.take(1, 'normal', 200)).toBe(0)
    expect(budget.used(200)).toBe(80)
    expect(budget.take(1, 'normal', 300)).toBeGreaterThan(0)
    budget.noteUsed(3, 400)
    expect(budget.take(1, 'normal', 500)).toBe(0)
  })

  test('a block applies to every priority, and the longest block is kept', () => {
    const budget = createWeightBudget(100)
    budget.block(5_000)
    budget.block(3_000)
    expect(budget.take(1, 'high', 1_000)).toBe(4_000)
    expect(budget.take(1, 'low', 5_000)).toBe(0)
  })

  test('a request that exceeds its share is sent alone instead of waiting for ever', () => {
    const budget = createWeightBudget(100)
    expect(budget.take(90, 'low', 0)).toBe(0)
    expect(budget.take(90, 'low', 59_999)).toBe(1)
    expect(budget.take(90, 'low', 60_000)).toBe(0)
  })
})
